//! The published data, read from `../shared/data` or the folder in RELUCERT_TEST_DATA.

use faer::Mat;
use relucert::TrainingProblem;
use std::path::{Path, PathBuf};

/// A published data set by file name without `.csv` at weight decay γ, or none (with a message) if absent.
pub fn published(name: &str, gamma: f64) -> Option<TrainingProblem> {
    let folder = std::env::var_os("RELUCERT_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = folder.join(name).with_extension("csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there; set RELUCERT_TEST_DATA", path.display());
        return None;
    };
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let is_target = |h: &str| h.starts_with('y') || h == "label";
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let first_target = header.iter().position(|h| is_target(h)).unwrap();
    let x = Mat::from_fn(rows.len(), first_target, |i, j| rows[i][j]);
    let y = if header[first_target] == "label" {
        let classes = rows.iter().map(|r| r[first_target] as usize + 1).max().unwrap();
        Mat::from_fn(rows.len(), classes, |i, j| f64::from(rows[i][first_target] as usize == j))
    } else {
        Mat::from_fn(rows.len(), header.len() - first_target, |i, j| rows[i][first_target + j])
    };
    Some(TrainingProblem::new(x, y, gamma).unwrap())
}
