//! Problem, network and certificate in files.

pub(crate) mod archive;
pub(crate) mod container;
pub(crate) mod convolution;
pub(crate) mod files;
pub(crate) mod members;
pub(crate) mod npy;
pub(crate) mod whole;

pub use convolution::{
    load_convolutional_network, load_convolutional_problem, save_convolutional_network,
    save_convolutional_problem,
};
pub use files::{
    load_certificate, load_network, load_problem, parse_certificate, parse_network, parse_problem,
    save_certificate, save_network, save_problem, verify,
};
