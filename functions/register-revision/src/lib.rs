//! A task definition and an image in, a revision out.
