//! Takes a service back to its last good revision and bits.
