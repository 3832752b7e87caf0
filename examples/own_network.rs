//! How far from optimal is a network trained elsewhere? `cargo run --release --example own_network`.

use faer::Mat;
use relucert::data::{CsvOptions, load};
use relucert::{CertifySettings, Control, Gap, Network, Silent, certify};
use std::time::Duration;

fn main() -> relucert::Result<()> {
    let problem = load("iris", &CsvOptions::default())?.standardized().with_bias().problem(5.0)?;
    // U (d × m) and V (c × m), as they come out of any other program.
    let hidden = Mat::from_fn(5, 3, |row, neuron| 0.9 * f64::from(u8::from(row == 4)) - 0.4 * neuron as f64);
    let output = Mat::from_fn(3, 3, |class, neuron| if class == neuron { 0.5 } else { 0.1 });
    let network = Network::new(hidden, output)?;

    let control = Control::new().within(Duration::from_secs(30));
    let certified = certify(&problem, &CertifySettings::default(), &control, &mut Silent)?;
    let (objective, bound) = (network.objective_upper(&problem), certified.proof.lower_bound());
    println!("objective {objective:.4}, lower bound {bound:.4}");
    println!("no network improves on it by more than {:.2}", Gap::between(objective, bound));
    Ok(())
}
