//! The cloud's door: body limit, signature, wire types to events.
