//! The accept loop: hyper connections with time and number limits that drive poem endpoints.
