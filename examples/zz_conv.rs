use relucert::convolution::{ConvolutionSettings, certify};
use relucert::data::{CsvOptions, load};
use relucert::{Control, ConvolutionShape, ConvolutionalProblem, Pooling};
fn main() {
    let per: f64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let data = load("digits", &CsvOptions::default()).unwrap();
    let rows: Vec<usize> = (0..300).collect();
    let data = data.select(&rows).unwrap();
    let x = data.features().to_dense().unwrap();
    let shape = ConvolutionShape::new([8, 8, 1], [2, 2], 1, Pooling::Average).unwrap();
    let problem =
        ConvolutionalProblem::new(shape, x.as_ref().as_ref(), data.targets().to_owned(), per * 300.0)
            .unwrap();
    let t = std::time::Instant::now();
    let n = relucert::convolution::train(&problem, 1e-2, &Default::default(), &Control::new()).unwrap();
    println!("train {:.4} width {} {:?}", n.objective(&problem), n.width(), t.elapsed());
    let mut last = 0.0;
    let found = certify(&problem, 1e-2, &ConvolutionSettings::default(), &Control::new(), &mut |p| {
        if p.epsilon != last || p.search.share == 1.0 {
            last = p.epsilon;
            println!(
                "eps {} share {:.3} cells {} lb {} ub {} {:?}",
                p.epsilon,
                p.search.share,
                p.search.cells,
                p.lower_bound,
                p.upper_bound,
                t.elapsed()
            );
        }
    })
    .unwrap();
    println!(
        "{per}: upper {} lower {} width {} {:?} cells {} visits {} training {:.1} s, all {:?}",
        found.upper_bound,
        found.lower_bound(),
        found.network.width(),
        found.status,
        found.cells,
        found.visits,
        found.training_seconds,
        t.elapsed()
    );
}
