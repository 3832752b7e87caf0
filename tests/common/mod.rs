//! What several test files share.
#![allow(dead_code)]

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use relucert::{Certified, CertifySettings, Control, Method, Silent, TrainingProblem, certify};
use std::path::PathBuf;

/// X and Y of a published file (one-hot for a label); `None`, with a message, where it is absent.
pub fn published(name: &str) -> Option<(Mat<f64>, Mat<f64>)> {
    let folder = std::env::var_os("RELUCERT_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.csv"))) else {
        eprintln!("{name}.csv is absent: skipped");
        return None;
    };
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next()?.split(',').collect();
    let rows: Vec<Vec<f64>> = lines.map(|l| l.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let (targets, features): (Vec<usize>, Vec<usize>) =
        (0..head.len()).partition(|&j| head[j] == "label" || head[j].starts_with('y'));
    let x = Mat::from_fn(rows.len(), features.len(), |i, j| rows[i][features[j]]);
    let y = if targets.len() > 1 {
        Mat::from_fn(rows.len(), targets.len(), |i, j| rows[i][targets[j]])
    } else {
        let mut classes: Vec<i64> = rows.iter().map(|row| row[targets[0]] as i64).collect();
        classes.sort_unstable();
        classes.dedup();
        Mat::from_fn(rows.len(), classes.len(), |i, j| {
            f64::from(u8::from(rows[i][targets[0]] as i64 == classes[j]))
        })
    };
    Some((x, y))
}

pub fn gaussian(seed: u64, rows: usize, columns: usize) -> Mat<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    Mat::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

pub fn problem(x: &Mat<f64>, y: &Mat<f64>, gamma: f64) -> TrainingProblem {
    TrainingProblem::new(x.clone(), y.clone(), gamma).unwrap()
}

/// By the relaxation.
pub fn run(problem: &TrainingProblem) -> Certified {
    let settings = CertifySettings { method: Method::Relaxation, ..CertifySettings::default() };
    certify(problem, &settings, &Control::new(), &mut Silent).unwrap()
}

/// A published data set as a problem at weight decay γ; `None`, with a message, where it is absent.
pub fn published_problem(name: &str, gamma: f64) -> Option<TrainingProblem> {
    published(name).map(|(x, y)| problem(&x, &y, gamma))
}
