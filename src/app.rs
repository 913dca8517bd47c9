//! Composition root: builds the rooms, starts them, stops them in reverse order.
