"""The native engine: states packed into machine words, steps compiled for exactly one instance.

Where to read: `layout` (where each value lies in a packed state), `code` (writing LLVM's language), `expressions`, `steps`
and `checks` (the IR compiled), `loop` (the search loop and the visited set), `library` (compiled and callable),
`memory` (growing arrays), `engine` (the search as `explore` asks for it).
"""
