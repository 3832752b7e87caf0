//! Reading, encoding and making data, and files that appear whole or not at all.

mod arrays;
mod files;
mod reading;
