//! How the cost of each part grows with n, d, c and the rank r: median seconds, and the exponent of a fitted power law.
//!
//! Teacher data, γ = n/60. One of the four is varied at a time, from n = 200, d = 10, c = 3, r = 14. The exponent is the
//! slope of a least-squares line through the logarithms. It takes about a minute.

use relucert::certificate::prove;
use relucert::data::{TeacherSettings, teacher};
use relucert::dual::DualPoint;
use relucert::low_rank::{AugmentedLagrangian, Hinge, ProductScratch, Workspace, hessian_product, start};
use relucert::relaxation::{Lifting, PairSet, scan_violations};
use relucert::repair::certify_dual;
use relucert::training::{TrainingSettings, train};
use relucert::{CertifySettings, Control, Method, Observer, Progress, TrainingProblem, certify};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// n, d without the bias, c and r of one measurement.
#[derive(Clone, Copy)]
struct Size {
    n: usize,
    d: usize,
    c: usize,
    r: usize,
}

const MIDDLE: Size = Size { n: 200, d: 10, c: 3, r: 14 };

/// What is measured, in the order of [`measure`].
const PARTS: [&str; 7] = [
    "value and gradient",
    "Hessian product",
    "scan",
    "proof",
    "certify: train",
    "certify: solve",
    "Newton steps",
];

fn problem(size: Size) -> TrainingProblem {
    let settings =
        TeacherSettings { samples: size.n, features: size.d, outputs: size.c, ..TeacherSettings::default() };
    teacher(&settings).and_then(|data| data.problem(size.n as f64 / 60.0)).expect("the settings are sound")
}

/// Median seconds of a call, over as many as fit into a third of a second, three at least.
fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.len() < 3 || begun.elapsed() < Duration::from_millis(330) {
        let started = Instant::now();
        call();
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Remembers the Newton steps.
#[derive(Default)]
struct Steps(usize);

impl Observer for Steps {
    fn progress(&mut self, progress: &Progress) {
        self.0 = progress.iteration;
    }
}

fn measure(size: Size) -> [f64; PARTS.len()] {
    let problem = problem(size);
    let training = TrainingSettings { starts: 1, rounds: 0, iterations: 50, ..TrainingSettings::default() };
    let network = train(&problem, &training, &Control::new());
    let lifting = Lifting::new(&problem).expect("finite data");
    let factor = start(&lifting, &network, size.r, 0);
    let set = PairSet::new(&lifting, 4);
    let lagrangian = AugmentedLagrangian {
        lifting: &lifting,
        set: &set,
        equality_penalty: 1.0,
        hinge: Hinge { penalty: 1.0, smoothing: 1e-4 },
    };
    let (mut work, mut gradient) = (Workspace::default(), Vec::new());
    let first = seconds(|| {
        black_box(lagrangian.value(&factor, &mut work));
        lagrangian.gradient(&factor, &mut work, &mut gradient);
    });
    let (mut scratch, mut out) = (ProductScratch::default(), vec![0.0; factor.values.len()]);
    let second = seconds(|| {
        hessian_product(&lagrangian, &factor, &work, &factor.values, &mut scratch, &mut out);
        black_box(&mut out);
    });
    let scan = seconds(|| {
        black_box(scan_violations(&lifting, &work.p, size.r, 1e-3, 6));
    });
    let guess = DualPoint { w: problem.targets().to_owned(), ..DualPoint::zero(size.n, size.c) };
    let (certificate, _) = certify_dual(&problem, &guess).expect("well formed");
    let proof = seconds(|| {
        black_box(prove(&problem, &certificate).expect("just proved"));
    });
    let settings =
        CertifySettings { tolerance: 1e-2, method: Method::LowRank, training, ..CertifySettings::default() };
    let mut steps = Steps::default();
    let report = certify(&problem, &settings, &Control::new(), &mut steps).expect("sound").report;
    [first, second, scan, proof, report.seconds.round, report.seconds.solve, steps.0 as f64]
}

/// Slope of log value against log size.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.max(1e-9).ln())).collect();
    let count = logs.len() as f64;
    let mean = logs.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / count, sum.1 + p.1 / count));
    let cross: f64 = logs.iter().map(|p| (p.0 - mean.0) * (p.1 - mean.1)).sum();
    let square: f64 = logs.iter().map(|p| (p.0 - mean.0).powi(2)).sum();
    cross / square
}

fn vary(name: &str, sizes: &[usize], set: impl Fn(usize) -> Size) {
    let rows: Vec<(usize, [f64; PARTS.len()])> =
        sizes.iter().map(|&size| (size, measure(set(size)))).collect();
    println!(
        "\n{:20} {}  exponent of {name}",
        "",
        sizes.iter().map(|s| format!("{name} = {s:<8}")).collect::<String>()
    );
    for (k, part) in PARTS.iter().enumerate() {
        // The factor of a whole solve has the rank that it needs, whatever this says.
        if name == "r" && k > 2 {
            break;
        }
        let values: String = rows.iter().map(|(_, row)| format!("{:<13.3e}", row[k])).collect();
        let points: Vec<(f64, f64)> = rows.iter().map(|(size, row)| (*size as f64, row[k])).collect();
        println!("{part:20} {values} {:5.2}", exponent(&points));
    }
}

fn main() {
    vary("n", &[100, 200, 400, 800], |n| Size { n, ..MIDDLE });
    vary("d", &[5, 10, 20, 40], |d| Size { d, ..MIDDLE });
    vary("c", &[1, 2, 4, 8], |c| Size { c, ..MIDDLE });
    vary("r", &[7, 14, 28, 56], |r| Size { r, ..MIDDLE });
}
