//! The data sets of the tables.

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::data::{CsvOptions, Dataset, load};
use relucert::{Result, TrainingProblem};
use std::path::PathBuf;

/// The first samples of the training half of Pima in the published experiments, by their place among the 768.
const PIMA: [usize; 20] =
    [423, 180, 305, 516, 444, 739, 150, 125, 611, 669, 186, 520, 495, 766, 757, 494, 322, 354, 709, 143];

/// Where the published sets are.
pub struct Sets {
    pub folder: PathBuf,
    pub pima: Option<String>,
    /// What the names of the data in the table of the whole road contain.
    pub only: String,
}

impl Sets {
    /// A published set as it is; none if it is not there.
    pub fn published(&self, name: &str, gamma: f64) -> Option<(String, TrainingProblem)> {
        Some((name.to_owned(), self.load(name)?.problem(gamma).ok()?))
    }

    fn load(&self, name: &str) -> Option<Dataset> {
        let targets =
            if name.starts_with("random") { (1..=5).map(|k| format!("y{k}")).collect() } else { Vec::new() };
        let options = CsvOptions { targets, ..CsvOptions::default() };
        load(&self.folder.join(format!("{name}.csv")).to_string_lossy(), &options).ok()
    }

    /// The first samples and columns of a training set, standardised by themselves, with a bias, which counts as a column.
    pub fn first(&self, name: &str, samples: usize, columns: usize, gamma: f64) -> Option<TrainingProblem> {
        let (data, rows) = match name {
            "pima" => {
                let data = load(self.pima.as_ref()?, &CsvOptions::default()).ok()?;
                (data, PIMA.iter().copied().take(samples).collect::<Vec<_>>())
            }
            _ => (self.load(name)?, (0..samples).collect()),
        };
        let data = data.select(&rows)?;
        let all = data.problem(gamma).ok()?;
        let x = Mat::from_fn(samples, columns - 1, |i, j| all.features()[(i, j)]);
        let names = |prefix: &str, count: usize| (0..count).map(|k| format!("{prefix}{k}")).collect();
        let y = all.targets().to_owned();
        let (features, outputs) = (names("x", columns - 1), names("y", y.ncols()));
        let few = Dataset::regression(x, y, features, outputs).ok()?;
        few.standardized().with_bias().problem(gamma).ok()
    }
}

/// Standardised iris with a bias, so many samples evenly spaced.
pub fn iris(count: usize, gamma: f64) -> Result<TrainingProblem> {
    let data = load("iris", &CsvOptions::default())?.standardized().with_bias().problem(gamma)?;
    let samples: Vec<usize> = (0..count).map(|k| k * data.samples() / count).collect();
    data.subset(&samples, gamma)
}

/// Four features of two overlapping classes, with the correlations of measurements of one thing.
pub fn bank_notes(samples: usize, gamma: f64) -> Result<TrainingProblem> {
    let mut rng = Pcg64::seed_from_u64(4);
    let mut x = Mat::zeros(samples, 5);
    let mut y = Mat::zeros(samples, 2);
    for i in 0..samples {
        let class = usize::from(i % 2 == 0);
        let side = if class == 0 { -1.0 } else { 1.0 };
        let mut noise = || rng.sample::<f64, _>(StandardNormal);
        let (a, b, c, d) = (noise(), noise(), noise(), noise());
        let row = [0.9 * side + a, 0.5 * side * a + b, -0.7 * b + 0.6 * c + 0.3 * a * a, 0.2 * side + d, 1.0];
        row.iter().enumerate().for_each(|(j, value)| x[(i, j)] = *value);
        y[(i, class)] = 1.0;
    }
    TrainingProblem::new(x, y, gamma)
}

/// A smooth function of normal features with noise, and a bias: d columns in all.
pub fn smooth(samples: usize, d: usize, gamma: f64) -> Result<TrainingProblem> {
    let mut rng = Pcg64::seed_from_u64(3);
    let mut x = Mat::<f64>::full(samples, d, 1.0);
    for i in 0..samples {
        (0..d - 1).for_each(|j| x[(i, j)] = rng.sample(StandardNormal));
    }
    let value = |i: usize| {
        let product: f64 = (0..d - 1).map(|j| x[(i, j)]).product();
        (2.0 * x[(i, 0)]).sin() + product.cos()
    };
    let y = Mat::from_fn(samples, 1, |i, _| value(i) + 0.1 * rng.sample::<f64, _>(StandardNormal));
    TrainingProblem::new(x, y, gamma)
}
