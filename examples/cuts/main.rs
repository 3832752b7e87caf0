//! How much sublinear forms raise the bound, and what that costs.
//!
//! `cargo run --release --example cuts -- TABLE FOLDER [PIMA.csv [NAME]]`, with TABLE one of
//!
//! - `earlier`: the rows of the first measurement of these constraints, beside the figures it gave;
//! - `families`: the reference solver with nearest, random and separated forms;
//! - `certify`: the whole road without and with cuts;
//! - `growth`: the whole road against the number of samples, in blocks of a fixed size;
//! - `dimensions`: how far cuts close the gap by dimension and number of samples;
//! - `all`: these one after the other.
//!
//! FOLDER holds random_00.csv … random_04.csv, spiral.csv and iris_train.csv of the published experiments, PIMA.csv is the
//! Pima Indians diabetes set with all its 768 samples; rows of sets that are not there are left out.
//! With NAME the table `certify` has only the rows of data whose name contains it.

mod dimensions;
mod earlier;
mod families;
mod growth;
mod sets;
mod whole;

use sets::Sets;

const TABLES: [&str; 5] = ["earlier", "families", "certify", "growth", "dimensions"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_else(|| "all".into());
    if wanted != "all" && !TABLES.contains(&wanted.as_str()) {
        return Err(format!("{wanted}: no such table; name one of {} or all", TABLES.join(", ")).into());
    }
    let sets = Sets {
        folder: arguments.next().unwrap_or_default().into(),
        pima: arguments.next(),
        only: arguments.next().unwrap_or_default(),
    };
    for table in TABLES.into_iter().filter(|table| wanted == "all" || wanted == *table) {
        println!("{table}\n");
        match table {
            "earlier" => earlier::table(&sets)?,
            "families" => families::table(&sets)?,
            "certify" => whole::table(&sets)?,
            "growth" => growth::table()?,
            _ => dimensions::table()?,
        }
        println!();
    }
    Ok(())
}
