//! A push in, what is to be deployed out.
