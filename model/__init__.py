"""What can happen: the language and its intermediate representation, the parts of machines, and the systems made of them."""
