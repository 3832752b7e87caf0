//! Data sets made from a seed: a random teacher network and a spiral.

use super::Dataset;
use crate::error::{Error, Result};
use crate::linalg::dense::product;
use faer::Mat;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;
use std::f64::consts::PI;

/// Settings of [`teacher`].
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct TeacherSettings {
    /// n; 100.
    pub samples: usize,
    /// Features drawn, not counting the bias column; 10.
    pub features: usize,
    /// c; 3.
    pub outputs: usize,
    /// Neurons of the teacher; 8.
    pub width: usize,
    /// Standard deviation of the noise added to the targets; 0.3.
    pub noise: f64,
    /// Seed of every draw; 0.
    pub seed: u64,
}

impl Default for TeacherSettings {
    fn default() -> Self {
        Self { samples: 100, features: 10, outputs: 3, width: 8, noise: 0.3, seed: 0 }
    }
}

/// Settings of [`spiral`].
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct SpiralSettings {
    /// Samples in each class; 20.
    pub samples_per_class: usize,
    /// Arms of the spiral; 3.
    pub classes: usize,
    /// Standard deviation of the angle, in radians; 0.2.
    pub noise: f64,
    /// Seed of every draw; 0.
    pub seed: u64,
}

impl Default for SpiralSettings {
    fn default() -> Self {
        Self { samples_per_class: 20, classes: 3, noise: 0.2, seed: 0 }
    }
}

/// Y = (XU)₊Vᵀ/√(2·width) + noise with standard normal X, U and V, and a bias column of ones that the teacher ignores.
///
/// Samples, weights and noise have streams of their own: fewer samples of the same seed are the first ones of more.
pub fn teacher(settings: &TeacherSettings) -> Result<Dataset> {
    let TeacherSettings { samples, features, outputs, width, noise, seed } = *settings;
    for (name, value) in
        [("samples", samples), ("features", features), ("outputs", outputs), ("width", width)]
    {
        positive(name, value)?;
    }
    noise_level(noise)?;
    let mut root = Pcg64::seed_from_u64(seed);
    let [mut weights, mut inputs, mut errors] = [(); 3].map(|()| Pcg64::from_rng(&mut root));
    let hidden = normal(features, width, &mut weights);
    let output = normal(outputs, width, &mut weights);
    let x = normal(samples, features, &mut inputs);
    let mut activation = product(x.as_ref(), hidden.as_ref());
    for column in activation.col_iter_mut() {
        column.iter_mut().for_each(|value| *value = value.max(0.0));
    }
    let clean = product(activation.as_ref(), output.transpose());
    let scale = (2.0 * width as f64).sqrt();
    let error = normal(samples, outputs, &mut errors);
    let y = Mat::from_fn(samples, outputs, |row, column| {
        clean[(row, column)] / scale + noise * error[(row, column)]
    });
    let names = |prefix: &str, count: usize| (1..=count).map(|index| format!("{prefix}{index}")).collect();
    Ok(Dataset::regression(x, y, names("x", features), names("y", outputs))?.with_bias())
}

/// Arms of a spiral in the plane, one class each: radius from 0 to 1, four radians of turn an arm, noise in the angle.
pub fn spiral(settings: &SpiralSettings) -> Result<Dataset> {
    let SpiralSettings { samples_per_class, classes, noise, seed } = *settings;
    positive("samples per class", samples_per_class)?;
    positive("classes", classes)?;
    noise_level(noise)?;
    let mut rng = Pcg64::seed_from_u64(seed);
    let samples = samples_per_class * classes;
    let mut x = Mat::zeros(samples, 2);
    for row in 0..samples {
        let (class, position) = (row / samples_per_class, row % samples_per_class);
        let radius = position as f64 / (samples_per_class - 1).max(1) as f64;
        let draw: f64 = StandardNormal.sample(&mut rng);
        let start = 2.0 * PI * class as f64 / classes as f64;
        let angle = start + 4.0 * radius + noise * draw;
        x[(row, 0)] = radius * angle.sin();
        x[(row, 1)] = radius * angle.cos();
    }
    let labels: Vec<usize> = (0..samples).map(|row| row / samples_per_class).collect();
    let class_names = (0..classes).map(|class| class.to_string()).collect();
    Dataset::classification(x, &labels, vec!["x1".into(), "x2".into()], class_names)
}

/// Drawn row by row, so that the first rows do not depend on their number.
fn normal(rows: usize, columns: usize, rng: &mut Pcg64) -> Mat<f64> {
    let mut matrix = Mat::zeros(rows, columns);
    for row in 0..rows {
        for column in 0..columns {
            matrix[(row, column)] = StandardNormal.sample(rng);
        }
    }
    matrix
}

fn positive(name: &'static str, value: usize) -> Result<()> {
    if value == 0 {
        return Err(Error::Parameter { name, value: "0".into(), range: "at least 1" });
    }
    Ok(())
}

fn noise_level(noise: f64) -> Result<()> {
    if !(noise.is_finite() && noise >= 0.0) {
        return Err(Error::Parameter {
            name: "noise",
            value: noise.to_string(),
            range: "zero or positive, and finite",
        });
    }
    Ok(())
}
