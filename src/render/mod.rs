//! Facts to text: handlebars templates, escaping and length per platform, plain fallback.
