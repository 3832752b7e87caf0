use faer::Mat;
use relucert::{Control, Network, TrainingProblem, reference};
fn main() {
    let mut hist = std::collections::BTreeMap::new();
    let mut seed = 12345u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((seed >> 11) as f64) / (1u64 << 53) as f64 - 0.5
    };
    let (mut bad, mut total, mut its) = (0, 0, 0);
    let t0 = std::time::Instant::now();
    while t0.elapsed().as_secs() < std::env::args().nth(1).map_or(100, |v| v.parse().unwrap()) {
        let n = 2 + ((next() + 0.5) * 50.0) as usize;
        let d = 1 + ((next() + 0.5).powi(2) * 12.0) as usize;
        let c = 1 + ((next() + 0.5).powi(2) * 6.0) as usize;
        let kind = ((next() + 0.5) * 4.0) as usize;
        let mut x = Mat::from_fn(n, d, |_, _| next());
        let mut tt = 0.0;
        if kind == 1 {
            let t = 10f64.powf(-1.0 - 6.0 * (next() + 0.5));
            tt = t;
            for i in n / 2..n {
                for j in 0..d {
                    x[(i, j)] = x[(i - n / 2, j)] * if i % 3 == 0 { -2.0 } else { 1.0 } + t * next();
                }
            }
        }
        if kind == 2 {
            for j in 0..d {
                let s = 10f64.powf(6.0 * next());
                for i in 0..n {
                    x[(i, j)] = s * (x[(i, j)] + 0.5);
                }
            }
        }
        if kind == 3 {
            for i in 0..n {
                for j in 0..d {
                    x[(i, j)] = (4.0 * x[(i, j)]).round();
                }
            }
        }
        let y = if next() > 0.0 {
            Network::new(Mat::from_fn(d, 5, |_, _| next()), Mat::from_fn(c, 5, |_, _| next()))
                .unwrap()
                .predict(x.as_ref())
        } else {
            Mat::from_fn(n, c, |_, _| if next() > 0.0 { 1.0 } else { 0.0 })
        };
        let xn = x.norm_l2() / (n as f64).sqrt();
        let yn = y.norm_l2();
        let gamma = 10f64.powf(5.0 * next() - 0.5) * xn.max(1e-300) * yn.max(1e-3);
        let Ok(problem) = TrainingProblem::new(x, y, gamma) else { continue };
        total += 1;
        let r = reference::solve(
            &problem,
            &Default::default(),
            &Control::new().within(std::time::Duration::from_secs(20)),
            &mut |_| {},
        );
        match r {
            Ok(r) => {
                its += r.iterations;
                let merit = r.gap.max(r.primal_infeasibility).max(r.dual_infeasibility);
                *hist.entry((kind, merit.log10().ceil() as i32)).or_insert(0) += 1;
                if merit > 1e-7 {
                    bad += 1;
                    println!(
                        "kind {kind} t {tt:.1e} n {n} d {d} c {c} gamma {gamma:.2e} rel {:.3}: {} gap {:.1e} p {:.1e} d {:.1e} it {} pairs {} {:.1}s",
                        r.value / problem.zero_objective(),
                        r.status,
                        r.gap,
                        r.primal_infeasibility,
                        r.dual_infeasibility,
                        r.iterations,
                        r.pairs.len(),
                        r.seconds
                    );
                }
            }
            Err(e) => {
                bad += 1;
                println!("kind {kind} t {tt:.1e} n {n} d {d} c {c} gamma {gamma:.2e}: error {e}");
            }
        }
    }
    println!("{hist:?}");
    println!("{bad} of {total} not solved, mean iterations {:.1}", its as f64 / total as f64);
}
