//! The first measurement of these constraints, repeated: all products of the forms, by an interior-point method.

use crate::sets::Sets;
use relucert::interior_point::{ReferenceSettings, ReferenceSolution, solve_from};
use relucert::relaxation::cuts::{SeparationSettings, nearest, separate};
use relucert::relaxation::{Cut, Lifting, PairSet};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, Result, TrainingProblem};

/// Most rounds of separation, and cuts taken in by each: the worst.
const ROUNDS: usize = 8;
const PER_ROUND: usize = 40;

/// A row: data, samples and columns (with the bias; none for a whole raw set), γ, and value over network as it was then:
/// published, nearest forms, separated forms, and how many of these.
struct Row {
    name: &'static str,
    size: Option<[usize; 2]>,
    gamma: f64,
    then: [&'static str; 4],
}

const ROWS: [Row; 8] = [
    Row { name: "random_00", size: None, gamma: 0.01, then: ["0.821", "0.998", "", ""] },
    Row { name: "random_01", size: None, gamma: 0.1, then: ["0.900", "0.9996", "", ""] },
    Row { name: "spiral", size: None, gamma: 0.01, then: ["0.782", "0.987", "", ""] },
    Row { name: "pima", size: Some([16, 4]), gamma: 0.3, then: ["0.729", "0.827", "0.887", "80"] },
    Row { name: "iris_train", size: Some([24, 5]), gamma: 0.3, then: ["0.925", "", "0.952", "130"] },
    Row { name: "iris_train", size: Some([30, 5]), gamma: 0.3, then: ["0.906", "0.909", "", ""] },
    Row { name: "pima", size: Some([20, 7]), gamma: 0.2, then: ["0.749", "", "0.765", "25"] },
    Row { name: "pima", size: Some([16, 7]), gamma: 0.3, then: ["0.925", "0.925", "", ""] },
];

pub fn table(sets: &Sets) -> Result<()> {
    println!(
        "| data | n, d | γ | published | then | nearest | then | separated | then | forms | then | rounds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for row in &ROWS {
        let problem = match row.size {
            None => sets.published(row.name, row.gamma).map(|(_, problem)| problem),
            Some([samples, columns]) => sets.first(row.name, samples, columns, row.gamma),
        };
        match problem {
            Some(problem) => line(row, &problem)?,
            None => println!("| {}: no such file |", row.name),
        }
    }
    Ok(())
}

fn line(row: &Row, problem: &TrainingProblem) -> Result<()> {
    let control = Control::new();
    let settings = ReferenceSettings::default();
    let training = TrainingSettings { starts: 20, ..TrainingSettings::default() };
    let upper = train(problem, &training, &control).objective(problem);
    let lifting = Lifting::new(problem)?;
    let solve = |cuts: Vec<Cut>| {
        let mut pairs = PairSet::new(&lifting, settings.neighbours);
        pairs.add_cuts(&lifting, cuts);
        solve_from(&lifting, &settings, pairs, &control, &mut |_| ())
    };
    let ratio = |solution: &ReferenceSolution| {
        let mark = if solution.status.is_solved() { "" } else { "?" };
        format!("{:.4}{mark}", solution.value / upper)
    };
    let published = solve(Vec::new())?;
    let near = solve(nearest(&lifting))?;
    let mut best = published.clone();
    let (mut held, mut rounds) = (Vec::new(), 0);
    // In the plane the nearest forms imply all others.
    while lifting.hidden_dimension() > 2 && rounds < ROUNDS {
        let (values, columns) = best.base_rows(&lifting);
        // Every direction with every form, and of all these the worst.
        let asks = SeparationSettings {
            forms: 2 * lifting.groups(),
            per_direction: usize::MAX,
            limit: PER_ROUND,
            ..SeparationSettings::default()
        };
        let more = separate(&lifting, &values, columns, &held, &asks);
        if more.is_empty() {
            break;
        }
        held.extend(more);
        best = solve(held.clone())?;
        rounds += 1;
    }
    let [a, b, c, d] = row.then;
    let separated = if rounds > 0 { ratio(&best) } else { String::new() };
    println!(
        "| {} | {}, {} | {} | {} | {a} | {} | {b} | {separated} | {c} | {} | {d} | {rounds} |",
        row.name,
        problem.samples(),
        problem.inputs(),
        problem.weight_decay(),
        ratio(&published),
        ratio(&near),
        held.len(),
    );
    Ok(())
}
