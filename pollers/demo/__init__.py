"""``headrace demo``: the whole thing on embedded emulators, ending with a proof that the books balance."""
