//! The single-writer loop: entries in, engine steps, changes committed. No policy in it.
