//! `relucert predict`.

use super::model::Model;
use super::{SUCCESS, complain, print};
use crate::render::page::largest;
use clap::Args;
use faer::{Mat, MatRef};
use relucert::compare::{Score, score};
use relucert::data::{Dataset, Source};
use relucert::{Error, Result, write_whole};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relucert predict out new.csv                          predictions as CSV on standard output
  relucert predict out test.csv --output predicted.csv  a file, and the accuracy where test.csv has the target")]
pub(super) struct PredictOptions {
    /// Folder written by certify --save
    dir: PathBuf,
    /// Data with the feature columns of the training set, in any order, with or without the target; - for standard input
    data: String,
    /// Write the predictions into this CSV file, and the error on standard output [default: CSV on standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(options: &PredictOptions) -> Result<u8> {
    let model = Model::load(&options.dir)?;
    let data = Source::read(&options.data)?.parse_like(&model.preparation)?;
    data.notes().iter().for_each(|note| complain(note));
    let outputs = model.outputs(&data);
    let table = table(&model, outputs.as_ref())?;
    let error = (data.targets().ncols() > 0).then(|| error(&data, &outputs));
    match &options.output {
        Some(path) => {
            write_whole(path, |file| file.write_all(&table))?;
            let error = error.unwrap_or_else(|| "no targets to compare with".into());
            print(&format!(
                "predicted     {} samples into {}\nerror         {error}\n",
                data.samples(),
                path.display()
            ))?;
        }
        None => {
            print(&String::from_utf8_lossy(&table))?;
            if let Some(error) = error {
                complain(&error);
            }
        }
    }
    Ok(SUCCESS)
}

/// A row a sample: the class and the outputs behind it, or the values.
fn table(model: &Model, outputs: MatRef<'_, f64>) -> Result<Vec<u8>> {
    let (targets, classes) = (model.preparation.targets(), model.preparation.classes());
    let failed =
        |error: csv::Error| Error::Input(format!("the predictions cannot be written as CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = targets.iter().map(|target| format!("predicted_{target}")).collect();
    header.extend(classes.unwrap_or_default().iter().map(|class| format!("output_{class}")));
    writer.write_record(&header).map_err(failed)?;
    for row in 0..outputs.nrows() {
        let values = (0..outputs.ncols()).map(|column| outputs[(row, column)].to_string());
        let class = classes.map(|classes| classes[largest(outputs, row)].clone());
        writer.write_record(class.into_iter().chain(values)).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error().into()))
}

/// How far the outputs are from the targets of the data.
fn error(data: &Dataset, outputs: &Mat<f64>) -> String {
    let (n, c) = data.targets().shape();
    if data.is_classification() {
        let right = (0..n).filter(|&i| data.targets()[(i, largest(outputs.as_ref(), i))] == 1.0).count();
        return format!("accuracy {:.1} %, {right} of {n} samples", 100.0 * right as f64 / n as f64);
    }
    let squared = (outputs - data.targets()).squared_norm_l2();
    let means: Vec<f64> = data.targets().col_iter().map(|y| y.iter().sum::<f64>() / n as f64).collect();
    let relative = score(Score::RelativeSquaredError, outputs.as_ref(), data.targets(), &means)
        .map_or(String::new(), |share| {
            format!("; {share:.4} of the squared error of the mean of these targets")
        });
    format!("root mean square {:.6}{relative}", (squared / (n * c) as f64).sqrt())
}
