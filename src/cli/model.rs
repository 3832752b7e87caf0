//! What `--save` keeps of a network for later use: `model.json` and `network.npz`.

use relucert::data::{Dataset, Preparation};
use relucert::io::load_network;
use relucert::{Error, Network, Result};
use std::path::Path;

/// A network and the way to its features.
pub(super) struct Model {
    pub(super) preparation: Preparation,
    pub(super) network: Network,
}

impl Model {
    /// Reads both files of a folder and checks that they fit together.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("model.json");
        let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::Input(format!(
                "{}: no such file; name a folder that certify --save has written",
                path.display()
            )),
            _ => Error::Io { path: path.clone(), source },
        })?;
        let preparation: Preparation = serde_json::from_str(&text).map_err(|error| {
            Error::Input(format!("{}: not a model: {error}; save the run again", path.display()))
        })?;
        preparation.check().map_err(|error| Error::Input(format!("{}: {error}", path.display())))?;
        let network = load_network(&folder.join("network.npz"))?;
        let shape = (network.hidden().nrows(), network.output().nrows());
        if shape != (preparation.inputs(), preparation.outputs()) {
            return Err(Error::Input(format!(
                "{}: network.npz has {} inputs and {} outputs, model.json {} and {}; save the run again",
                folder.display(),
                shape.0,
                shape.1,
                preparation.inputs(),
                preparation.outputs()
            )));
        }
        Ok(Self { preparation, network })
    }

    /// The outputs, n × c, for prepared data.
    pub(super) fn outputs(&self, data: &Dataset) -> faer::Mat<f64> {
        self.network.predict_for(data.features())
    }
}
