//! `relucert synth`.

use super::arguments::{Kind, SpiralOptions, SynthOptions, TeacherOptions};
use super::{SUCCESS, print};
use relucert::data::{SpiralSettings, TeacherSettings, spiral, teacher, write_csv};
use relucert::{Error, Result, write_whole};

pub(super) fn run(options: &SynthOptions) -> Result<u8> {
    let (dataset, output) = match &options.kind {
        Kind::Teacher(TeacherOptions { samples, features, outputs, width, noise, common }) => {
            let settings = TeacherSettings {
                samples: *samples,
                features: *features,
                outputs: *outputs,
                width: *width,
                noise: *noise,
                seed: common.seed,
            };
            (teacher(&settings)?, &common.output)
        }
        Kind::Spiral(SpiralOptions { samples, classes, noise, common }) => {
            let settings = SpiralSettings {
                samples_per_class: *samples,
                classes: *classes,
                noise: *noise,
                seed: common.seed,
            };
            (spiral(&settings)?, &common.output)
        }
    };
    match output {
        Some(path) => write_whole(path, |file| write_csv(&dataset, file))?,
        None => {
            let mut text = Vec::new();
            write_csv(&dataset, &mut text)
                .map_err(|source| Error::Io { path: "standard output".into(), source })?;
            print(&String::from_utf8_lossy(&text))?;
        }
    }
    Ok(SUCCESS)
}
