//! Data by name: a built-in set or a file.

use std::sync::OnceLock;

/// Names of the data sets that come with the crate; `datasets/README.md` has their sources and licences.
pub const BUILT_IN: [&str; 4] = ["iris", "wine", "breast-cancer", "digits"];

const IRIS: &str = include_str!("../../datasets/iris.csv");
const WINE: &str = include_str!("../../datasets/wine.csv");
const BREAST_CANCER: &str = include_str!("../../datasets/breast_cancer.csv");
const DIGITS: &str = include_str!("../../datasets/digits.txt");
/// Pixels of a digit.
const PIXELS: usize = 64;

/// The text of a built-in set.
pub(super) fn bytes(name: &str) -> Option<&'static [u8]> {
    static TABLE: OnceLock<String> = OnceLock::new();
    let text = match name {
        "iris" => IRIS,
        "wine" => WINE,
        "breast-cancer" => BREAST_CANCER,
        "digits" => TABLE.get_or_init(digits),
        _ => return None,
    };
    Some(text.as_bytes())
}

/// As CSV: a line of 64 pixels in base 17, a space and the digit, for each sample.
fn digits() -> String {
    let mut table = String::new();
    for column in 0..PIXELS {
        table += &format!("pixel_{}_{},", column / 8, column % 8);
    }
    table += "digit\n";
    for line in DIGITS.lines() {
        let (pixels, label) = line.split_at(PIXELS);
        for pixel in pixels.chars() {
            table += &format!("{},", pixel.to_digit(17).unwrap_or_default());
        }
        table += label.trim_start();
        table.push('\n');
    }
    table
}
