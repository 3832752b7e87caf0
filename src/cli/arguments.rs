//! What may be said on the command line.

use super::export::ExportOptions;
use super::predict::PredictOptions;
use super::progress::ProgressOptions;
use super::version::VERSION;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use relucert::data::Task;
use relucert::path::Gammas;
use relucert::training::Effort;
use relucert::{Blocks, ConvolutionShape, Cuts, Error, Method, Pooling, Prices};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const EXIT_STATUS: &str = "Exit status: 0 certified to tolerance (verify: proved, and the report claims no more), \
1 read but not proved (verify only: a refuted certificate, or a report that claims more than the files prove), \
2 usage or input error (a missing file among them), 3 a valid bound that missed the tolerance, 130 interrupted twice.";

const CERTIFY: &str = "\
Exit status: 0 certified to tolerance, 2 usage or input error (a missing file among them), 3 a valid bound that missed the tolerance, \
130 interrupted twice.

Examples:
  relucert certify iris --gamma 5 --standardize --bias --save out           network, bound, report and pictures
  relucert certify data.csv --target price --gamma 2 --network w.safetensors   how far is this network from optimal?";

const REFERENCE: &str = "\
Exit status: 0 certified to tolerance, 2 usage or input error, 3 a valid bound that missed the tolerance, 130 interrupted twice.

Examples:
  relucert reference iris --gamma 5 --standardize --bias
  relucert reference data.csv --target price --gamma 2 --save out";

const VERIFY: &str = "\
Exit status: 0 proved, and the report claims no more, 1 read but not proved (a refuted certificate, or a report that claims more \
than the files prove), 2 usage or input error (a missing file among them).

Examples:
  relucert verify out
  relucert verify out --json";

const SYNTH: &str = "\
Examples:
  relucert synth teacher --samples 500 --features 6 --output teacher.csv
  relucert synth spiral --samples 100 --classes 3 --seed 1";

const METHODS: &str = "Methods: train, certify, polish, splitting, sgd, adam, gated, gated-relu, exact, frank-wolfe, copositive, soft-threshold, nngp, ntk. \
A method that does not apply says so in its row. Everything is chosen on the training data but for --published-protocol. \
Exit status: 0 some method ended, 2 usage or input error, 3 none did, 130 interrupted twice.

Examples:
  relucert compare iris --gamma 5 --standardize --bias --test-share 0.3
  relucert compare data.csv --target price --gamma 2 --methods certify,adam,gated --csv";

/// Trains two-layer ReLU networks and proves how far from globally optimal they can still be.
#[derive(Debug, Parser)]
#[command(version = VERSION, after_help = EXIT_STATUS)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find a network and a certified lower bound on the objective of every network
    #[command(after_help = CERTIFY)]
    Certify(NetworkOptions),
    /// Run every method on the same data and print one table: bounds, objectives, accuracies, seconds
    #[command(
        after_help = METHODS,
        mut_arg("save", |save| save.help("Write compare.json, compare.csv and compare.svg into this new or empty folder")),
        mut_arg("json", |json| json.help("Print the rows as one JSON object"))
    )]
    Compare(CompareOptions),
    /// Certify by the dense interior-point solver: slower, for a few hundred samples, and an independent check
    #[command(after_help = REFERENCE)]
    Reference(CertifyOptions),
    /// Choose the weight decay: networks along a grid of them, with bounds and cross-validated errors
    Path(PathOptions),
    /// Apply a saved network to other data: the same columns by name, prepared as the training set was
    Predict(PredictOptions),
    /// Write a saved network for PyTorch (safetensors) or for ONNX
    Export(ExportOptions),
    /// Prove a saved certificate again, from its files alone
    #[command(after_help = VERIFY)]
    Verify(VerifyOptions),
    /// Write a synthetic data set as CSV
    #[command(after_help = SYNTH)]
    Synth(SynthOptions),
    /// Write the completions of a shell
    Completions(CompletionsOptions),
    /// Write the manual page
    Man(ManOptions),
}

/// A convolutional first layer.
#[derive(Debug, Args)]
pub(super) struct ConvolutionOptions {
    /// Take the features for the pixels of images, row by row, channels of a pixel side by side; 1xL for signals. Filters then act
    /// on patches, and the bound is for every network of such filters
    #[arg(long, value_name = "HxW[xC]", value_parser = sizes, requires = "filter")]
    pub(super) image: Option<Sizes>,
    /// Size of the filters
    #[arg(long, value_name = "AxB", value_parser = sizes, requires = "image")]
    pub(super) filter: Option<Sizes>,
    /// By how many pixels a filter moves
    #[arg(long, value_name = "S", default_value_t = 1, requires = "image", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(super) stride: usize,
    /// Pooling of the rectified values: their average, none, or averages of blocks of PxQ positions
    #[arg(long, value_name = "POOL", default_value = "average", requires = "image", value_parser = setting::<Pooling>)]
    pub(super) pool: Pooling,
}

/// Sizes with an x between them.
#[derive(Clone, Debug)]
pub(super) struct Sizes(Vec<usize>);

fn sizes(text: &str) -> Result<Sizes, String> {
    let sizes: Option<Vec<usize>> =
        text.split('x').map(|part| part.parse().ok().filter(|size| *size > 0)).collect();
    sizes.map(Sizes).ok_or_else(|| "it must be sizes such as 8x8".into())
}

impl ConvolutionOptions {
    /// Image, filter and pooling; none where there is no convolution.
    pub(super) fn shape(&self) -> Result<Option<ConvolutionShape>, Error> {
        let (Some(image), Some(filter)) = (&self.image, &self.filter) else { return Ok(None) };
        let image = match image.0[..] {
            [h, w] => [h, w, 1],
            [h, w, c] => [h, w, c],
            _ => return Err(Error::Input("--image takes HxW or HxWxC, such as 8x8 or 1x64".into())),
        };
        let [a, b] = filter.0[..] else {
            return Err(Error::Input("--filter takes AxB, such as 2x2 or 1x4".into()));
        };
        ConvolutionShape::new(image, [a, b], self.stride, self.pool).map(Some)
    }
}

/// A data set, and what is done to it.
#[derive(Debug, Args)]
pub(super) struct DataOptions {
    /// CSV, TSV, svmlight (.svm), .npz, .npy or .parquet file, gzip or zstd allowed; - for standard input; or a built-in data
    /// set: iris, wine, breast-cancer, digits
    pub(super) data: String,
    /// Names of the target columns [default: the last column that is not left out]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) target: Vec<String>,
    /// Columns to leave out, whatever they hold
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) drop: Vec<String>,
    /// Columns to take as features [default: all that are neither targets nor left out]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) features: Vec<String>,
    /// Meaning of the target; auto takes one column of text, or of at most 20 whole numbers with five samples each, for a class
    #[arg(long, value_enum, default_value_t = TaskChoice::Auto)]
    pub(super) task: TaskChoice,
    /// Take the first N samples only
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(super) first: Option<usize>,
    /// Give every feature mean 0 and standard deviation 1
    #[arg(long)]
    pub(super) standardize: bool,
    /// Append a feature that is 1 for every sample
    #[arg(long)]
    pub(super) bias: bool,
}

#[derive(Debug, Args)]
pub(super) struct CertifyOptions {
    #[command(flatten)]
    pub(super) input: DataOptions,
    /// Weight decay: the objective is ½‖prediction − targets‖² + (G/2)·‖weights‖²
    #[arg(long, value_name = "G", value_parser = positive, allow_hyphen_values = true)]
    pub(super) gamma: f64,
    /// Good enough: the relative gap between network and bound, or between relaxation and bound
    #[arg(long, default_value_t = 1e-3, value_parser = fraction, allow_hyphen_values = true)]
    pub(super) tolerance: f64,
    /// Divide the samples into blocks: auto, or their number; 1 for none
    #[arg(long, value_name = "K", default_value = "auto", value_parser = setting::<Blocks>)]
    pub(super) blocks: Blocks,
    /// Rounds in which blocks trade weight decay to win back what dividing lost: none, auto, or the most to do
    #[arg(long, value_name = "N", default_value = "none", value_parser = setting::<Prices>)]
    pub(super) prices: Prices,
    /// Sublinear forms that tighten the relaxation: none, auto, or the most to use (for each block)
    #[arg(long, value_name = "K", default_value = "none", value_parser = setting::<Cuts>)]
    pub(super) cuts: Cuts,
    /// How long training goes on where that still wins something: low, normal or high
    #[arg(long, value_name = "EFFORT", default_value = "normal", value_parser = effort)]
    pub(super) effort: Effort,
    /// Stop after this long with the best bound so far, e.g. 500ms, 60s, 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub(super) time_limit: Option<Duration>,
    /// Where a proof by factorisation does not fit in memory: the probability that the random one is wrong
    #[arg(long, value_name = "P", default_value_t = 1e-9, value_parser = probability, allow_hyphen_values = true)]
    pub(super) failure_probability: f64,
    /// Seed of every random choice
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Threads [default: one for each core]; the result does not depend on it
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(super) threads: Option<usize>,
    /// Write problem.npz, network.npz, certificate.npz, model.json, report.json, report.html and pictures (SVG) into this
    /// new or empty folder
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) progress: ProgressOptions,
}

#[derive(Debug, Args)]
pub(super) struct NetworkOptions {
    #[command(flatten)]
    pub(super) common: CertifyOptions,
    #[command(flatten)]
    pub(super) convolution: ConvolutionOptions,
    /// Certify this network instead of training one: .npz or .safetensors with U (features × neurons), V (outputs × neurons),
    /// or .safetensors of two layers of torch.nn.Linear (fc1.weight, fc1.bias, …)
    #[arg(long, value_name = "FILE")]
    pub(super) network: Option<PathBuf>,
    /// Keep what is done in this file (.npz), and go on from it if it is there: the same command again after an interruption
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoint: Option<PathBuf>,
    /// Least time between two writings of the checkpoint
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, allow_hyphen_values = true)]
    pub(super) checkpoint_interval: Duration,
    /// Memory that may be taken, e.g. 500MB, 4GB, 2GiB; larger runs are refused before they start [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = size, allow_hyphen_values = true)]
    pub(super) memory_limit: Option<u64>,
    /// Road to the bound: branch and bound in few dimensions, or the relaxation (by a low-rank factor or the dense
    /// interior-point method); auto tries the first where it will end soon, else takes the second, and the better bound of both
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = method())]
    pub(super) method: Method,
}

#[derive(Debug, Args)]
pub(super) struct CompareOptions {
    #[command(flatten)]
    pub(super) common: CertifyOptions,
    #[command(flatten)]
    pub(super) convolution: ConvolutionOptions,
    /// Run these methods only, in this order
    #[arg(long, value_name = "METHODS", value_delimiter = ',')]
    pub(super) methods: Vec<String>,
    /// Test set with the columns of DATA, prepared as DATA is
    #[arg(long, value_name = "FILE", conflicts_with = "test_share")]
    pub(super) test: Option<String>,
    /// Set this part of DATA aside for the test, at random from the seed
    #[arg(long, value_name = "S", value_parser = fraction, allow_hyphen_values = true)]
    pub(super) test_share: Option<f64>,
    /// Print the rows as CSV
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
    /// Also the test accuracy as published: threshold and iterate chosen on the labels of the test set
    #[arg(long)]
    pub(super) published_protocol: bool,
    /// Activation patterns drawn for the gated networks
    #[arg(long, value_name = "M", default_value_t = 100, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(super) patterns: usize,
    /// Cells of the arrangement of activation patterns that exact, frank-wolfe and copositive may list [default: 500000, and
    /// 20000 for copositive]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000_000))]
    pub(super) max_cells: Option<usize>,
    /// Samples times outputs that copositive takes [default: 1000]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(super) max_unknowns: Option<usize>,
    /// Neurons of the networks of sgd and adam
    #[arg(long, value_name = "M", default_value_t = 300, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(super) width: usize,
}

const PATH: &str = "\
Exit status: 0 the path was traced, to its end or as far as the time allowed, 2 usage or input error, 130 interrupted twice.

Examples:
  relucert path iris --standardize --bias                                  a table and the two choices of weight decay
  relucert path data.csv --target price --gammas 100:0.1:10 --save out     ten values; picture, table and the network chosen";

#[derive(Debug, Args)]
#[command(after_help = PATH)]
pub(super) struct PathOptions {
    #[command(flatten)]
    pub(super) input: DataOptions,
    /// Weight decays: FROM:TO:COUNT in equal ratios, or numbers with commas between them; auto is twenty from the least at which
    /// no neuron is of use to a thousandth of it
    #[arg(long, value_name = "VALUES", default_value = "auto", value_parser = setting::<Gammas>)]
    pub(super) gammas: Gammas,
    /// Folds of cross-validation; 0 for none
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub(super) folds: usize,
    /// Weight decays at which a bound is proved; those between get theirs from them. 0 for none
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) bounds: usize,
    /// How long training goes on where that still wins something: low, normal or high
    #[arg(long, value_name = "EFFORT", default_value = "normal", value_parser = effort)]
    pub(super) effort: Effort,
    /// Stop after this long with the weight decays done so far, e.g. 60s, 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub(super) time_limit: Option<Duration>,
    /// Seed of the folds and of every other random choice
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Threads [default: one for each core]; the result does not depend on it
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(super) threads: Option<usize>,
    /// Write path.csv, path.json, path.svg and the network of least error (network.npz, model.json) into this new or empty folder
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) progress: ProgressOptions,
}

const COMPLETIONS: &str = "\
Examples:
  relucert completions bash > ~/.local/share/bash-completion/completions/relucert
  relucert completions zsh > ~/.zfunc/_relucert";

const MAN: &str = "\
Examples:
  relucert man | man -l -
  relucert man > ~/.local/share/man/man1/relucert.1";

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(super) struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub(super) struct ManOptions {}

#[derive(Debug, Args)]
pub(super) struct VerifyOptions {
    /// Folder written by certify --save
    pub(super) dir: PathBuf,
    /// Where a proof by factorisation does not fit in memory: the probability that the random one is wrong
    #[arg(long, value_name = "P", default_value_t = 1e-9, value_parser = probability, allow_hyphen_values = true)]
    pub(super) failure_probability: f64,
    /// Cells that a proof by branch and bound may take; where it takes more the bound is not proved
    #[arg(long, value_name = "N", default_value_t = 1_000_000_000)]
    pub(super) max_cells: u64,
    /// Seed of a random proof, to repeat one [default: what nobody can know, the entropy of the operating system]
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SynthOptions {
    #[command(subcommand)]
    pub(super) kind: Kind,
}

#[derive(Debug, Subcommand)]
pub(super) enum Kind {
    /// Standard normal features, targets of a random ReLU network plus noise
    Teacher(TeacherOptions),
    /// Arms of a spiral in the plane, one class each
    Spiral(SpiralOptions),
}

#[derive(Debug, Args)]
pub(super) struct TeacherOptions {
    /// Samples
    #[arg(long, value_name = "N", value_parser = count())]
    pub(super) samples: usize,
    /// Features
    #[arg(long, value_name = "D", default_value_t = 10, value_parser = count())]
    pub(super) features: usize,
    /// Outputs
    #[arg(long, value_name = "C", default_value_t = 3, value_parser = count())]
    pub(super) outputs: usize,
    /// Neurons of the teacher
    #[arg(long, value_name = "M", default_value_t = 8, value_parser = count())]
    pub(super) width: usize,
    /// Standard deviation of the noise on the targets
    #[arg(long, default_value_t = 0.3, allow_hyphen_values = true)]
    pub(super) noise: f64,
    #[command(flatten)]
    pub(super) common: SynthCommon,
}

#[derive(Debug, Args)]
pub(super) struct SpiralOptions {
    /// Samples in each class
    #[arg(long, value_name = "N", value_parser = count())]
    pub(super) samples: usize,
    /// Classes
    #[arg(long, value_name = "C", default_value_t = 3, value_parser = count())]
    pub(super) classes: usize,
    /// Standard deviation of the angle, in radians
    #[arg(long, default_value_t = 0.2, allow_hyphen_values = true)]
    pub(super) noise: f64,
    #[command(flatten)]
    pub(super) common: SynthCommon,
}

#[derive(Debug, Args)]
pub(super) struct SynthCommon {
    /// Seed of every draw
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE.csv")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TaskChoice {
    Auto,
    Regression,
    Classification,
}

impl TaskChoice {
    /// Its name, unless it is the default.
    pub(super) fn asked(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Regression => Some("regression"),
            Self::Classification => Some("classification"),
        }
    }
}

impl From<TaskChoice> for Task {
    fn from(choice: TaskChoice) -> Self {
        match choice {
            TaskChoice::Auto => Self::Auto,
            TaskChoice::Regression => Self::Regression,
            TaskChoice::Classification => Self::Classification,
        }
    }
}

/// A table of more than ten million rows or columns is taken for a mistake (conventional).
fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=10_000_000)
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("it must be a positive number".into()),
    }
}

/// A setting that the library can read, and what it must be where this is not it.
pub(super) fn setting<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| match error {
        Error::Parameter { range, .. } => format!("it must be {range}"),
        other => other.to_string(),
    })
}

pub(super) fn effort(text: &str) -> Result<Effort, String> {
    let found = Effort::ALL.iter().find(|(_, name)| *name == text);
    found.map(|(effort, _)| *effort).ok_or_else(|| "it must be low, normal or high".into())
}

fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "mib" => f64::from(1 << 20),
        "gib" => f64::from(1 << 30),
        _ => return Err("the units are MB, GB, TB, MiB and GiB".into()),
    };
    match digits.parse::<f64>().map(|value| value * unit) {
        Ok(bytes) if (1.0..1e18).contains(&bytes) => Ok(bytes as u64),
        _ => Err("it must be a size such as 500MB or 4GB".into()),
    }
}

/// The roads to the bound by name.
fn method() -> impl TypedValueParser<Value = Method> {
    PossibleValuesParser::new(Method::NAMES).map(|name| name.parse().unwrap_or_default())
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        _ => Err("it must lie between 0 and 1".into()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1e-100..=0.5).contains(&value) => Ok(value),
        _ => Err("it must lie between 1e-100 and 0.5".into()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("the units are ms, s, m and h".into()),
    };
    match digits.parse::<f64>() {
        Ok(value) if value > 0.0 => Duration::try_from_secs_f64(value * unit)
            .map_err(|_| "it must be a time such as 60s, 5m or 2h".into()),
        _ => Err("it must be a time such as 60s, 5m or 2h".into()),
    }
}
