//! Data with a certified optimum.

use relucert::data::{TeacherSettings, teacher};
use relucert::{Certified, CertifySettings, Control, Method, Result, Silent, TrainingProblem, certify};

/// Teacher data: one thing at a time is varied from here.
#[derive(Clone, Copy)]
pub struct Setting {
    pub samples: usize,
    /// d, with the bias column.
    pub inputs: usize,
    pub outputs: usize,
    /// γ/n.
    pub decay: f64,
    pub noise: f64,
    pub seed: u64,
}

pub const BASE: Setting = Setting { samples: 50, inputs: 3, outputs: 1, decay: 0.01, noise: 0.3, seed: 0 };

/// Seeds of every setting.
pub const SEEDS: u64 = 3;

impl Setting {
    pub fn gamma(&self) -> f64 {
        self.decay * self.samples as f64
    }

    pub fn problem(&self) -> Result<TrainingProblem> {
        let settings = TeacherSettings {
            samples: self.samples,
            features: self.inputs - 1,
            outputs: self.outputs,
            noise: self.noise,
            seed: self.seed,
            ..TeacherSettings::default()
        };
        teacher(&settings)?.problem(self.gamma())
    }
}

/// The network that branch and bound proves optimal to one in a thousand, with its bound.
pub fn optimum(problem: &TrainingProblem) -> Result<Certified> {
    let settings = CertifySettings { method: Method::Branch, ..CertifySettings::default() };
    certify(problem, &settings, &Control::new(), &mut Silent)
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
