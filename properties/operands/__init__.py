"""The 64-bit operands of TLB invalidations: their encodings, and whether an emulation of a trapped one is right for all of them."""
