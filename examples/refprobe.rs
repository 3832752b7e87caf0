#[path = "../tests/common/mod.rs"]
mod common;
use relucert::{Control, reference};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let gamma: f64 = a[2].parse().unwrap();
    let mut problem = if let Some(spec) = a[1].strip_prefix("synth") {
        let v: Vec<usize> = spec.split('x').filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect();
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((seed >> 11) as f64) / (1u64 << 53) as f64 - 0.5
        };
        let x = faer::Mat::from_fn(v[0], v[1], |_, j| if j + 1 == v[1] { 1.0 } else { 3.0 * next() });
        let u = faer::Mat::from_fn(v[1], 8, |_, _| next());
        let w = faer::Mat::from_fn(v[2], 8, |_, _| next());
        let net = relucert::Network::new(u, w).unwrap();
        let mut y = net.predict(x.as_ref());
        for j in 0..y.ncols() {
            for i in 0..y.nrows() {
                y[(i, j)] += 0.1 * next();
            }
        }
        relucert::TrainingProblem::new(x, y, gamma).unwrap()
    } else {
        common::published(&a[1], gamma).unwrap()
    };
    if let Some(n) = a.get(3) {
        let n: usize = n.parse().unwrap();
        let total = problem.samples();
        let pick = |m: faer::MatRef<'_, f64>| {
            faer::Mat::from_fn(n.min(total), m.ncols(), |i, j| m[(i * total / n.min(total), j)])
        };
        problem =
            relucert::TrainingProblem::new(pick(problem.features()), pick(problem.targets()), gamma).unwrap();
    }
    let verbose = std::env::var_os("V").is_some();
    let settings = reference::ReferenceSettings {
        tolerance: std::env::var("TOL").ok().map_or(1e-8, |v| v.parse().unwrap()),
        neighbours: std::env::var("NB").ok().map_or(4, |v| v.parse().unwrap()),
        ..Default::default()
    };
    let control = Control::new().within(std::time::Duration::from_secs(110));
    let r = reference::solve(&problem, &settings, &control, &mut |l| {
        if verbose {
            println!("{:3} p={:.9} d={:.9} gap={:.1e} pinf={:.1e} dinf={:.1e} mu={:.1e} ap={:.3} ad={:.3} pairs={} t={:.2}",
                l.iteration, l.value, l.dual_value, l.gap, l.primal_infeasibility, l.dual_infeasibility, l.mu, l.primal_step, l.dual_step, l.pairs, l.seconds);
        }
    }).unwrap();
    let active = r.pairs.multipliers.iter().filter(|n| **n > 1e-6).count();
    println!(
        "{} {} value={:.9} dual={:.9} gap={:.1e} pinf={:.1e} dinf={:.1e} {} it={} pairs={} active={} rank={} {:.2}s",
        a[1],
        gamma,
        r.value,
        r.dual_value,
        r.gap,
        r.primal_infeasibility,
        r.dual_infeasibility,
        r.status,
        r.iterations,
        r.pairs.len(),
        active,
        r.rank,
        r.seconds
    );
}
