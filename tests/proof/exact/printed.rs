//! What is printed, against what is proved and what is true: decimals in integer arithmetic.

use crate::exact::dyadic::{Dyadic, Stream, exact_objective};
use faer::Mat;
use num_bigint::BigInt;
use rayon::prelude::*;
use relucert::certificate::Grade;
use relucert::{
    CertifySettings, Control, Gap, LowerBound, Method, Silent, TrainingProblem, UpperBound, certify,
};
use std::cmp::Ordering;
use std::time::Duration;

/// A printed number: digits · 10^place, the last digit shown standing at that place.
struct Printed {
    digits: BigInt,
    place: i64,
}

impl Printed {
    fn new(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().unwrap_or_else(|_| panic!("{text:?} is no number"));
        let exponent: i64 = exponent.parse().unwrap_or_else(|_| panic!("{text:?} is no number"));
        Self { digits, place: exponent - fraction.len() as i64 }
    }

    fn percent(text: &str) -> Self {
        let number =
            Self::new(text.strip_suffix(" %").unwrap_or_else(|| panic!("{text:?} is no percentage")));
        Self { place: number.place - 2, ..number }
    }

    /// One unit of the last digit more or less.
    fn moved(&self, units: i64) -> Self {
        Self { digits: &self.digits + units, place: self.place }
    }

    fn cmp(&self, other: &Dyadic) -> Ordering {
        let ten = |power: i64| BigInt::from(10).pow(u32::try_from(power).unwrap());
        let two = |power: i64| BigInt::from(1) << u64::try_from(power).unwrap();
        let ours = &self.digits * ten(self.place.max(0)) * two((-other.exponent).max(0));
        ours.cmp(&(&other.mantissa * two(other.exponent.max(0)) * ten((-self.place).max(0))))
    }

    /// Digits from the first that is not zero.
    fn figures(&self) -> usize {
        self.digits.to_string().trim_start_matches('-').len()
    }
}

fn bounds(value: f64) -> (LowerBound, UpperBound, Gap) {
    let text = serde_json::to_string(&value).unwrap();
    let from = |text: &str| serde_json::from_str(text).unwrap();
    (from(&text), serde_json::from_str(&text).unwrap(), serde_json::from_str(&text).unwrap())
}

/// Every way to show a lower and an upper bound, with the figures it must have where they are fixed.
fn shown(lower: LowerBound, upper: UpperBound, count: usize) -> Vec<(String, String, Option<usize>)> {
    vec![
        (format!("{lower}"), format!("{upper}"), Some(8)),
        (format!("{lower:.count$}"), format!("{upper:.count$}"), None),
        (format!("{lower:e}"), format!("{upper:e}"), Some(8)),
        (format!("{lower:.count$e}"), format!("{upper:.count$e}"), Some(count + 1)),
        (lower.significant(count + 1), upper.significant(count + 1), Some(count + 1)),
    ]
}

#[test]
fn bounds_are_shown_on_their_side_and_within_one_unit_of_the_last_digit() {
    let mut stream = Stream(11);
    let special =
        [0.0, f64::MIN_POSITIVE, f64::from_bits(1), f64::from_bits((1 << 52) - 1), f64::MAX, 1.0, 0.1];
    let tens = (-20..20).map(|power| 10f64.powi(power));
    let nines = (0..300).map(|k| 1.0 - 0.5f64.powi(k % 53 + 1) * f64::from(k / 53 + 1));
    let any = (0..3000).map(|_| {
        let exponent = stream.below(2046) as u64;
        f64::from_bits(exponent << 52 | (stream.next().to_bits() & ((1 << 52) - 1)))
    });
    let usual = (0..3000).map(|k| (f64::from(k) * 0.7).sin().abs() * 10f64.powi(k % 30 - 15));
    let (mut exact, mut strict) = (0, 0);
    for (k, value) in special.into_iter().chain(tens).chain(nines).chain(any).chain(usual).enumerate() {
        let (lower, upper, gap) = bounds(value);
        assert_eq!((lower.value(), upper.value(), gap.value()), (value, value, value));
        let truth = Dyadic::new(value);
        for (below, above, figures) in shown(lower, upper, k % 19) {
            let (below, above) = (Printed::new(&below), Printed::new(&above));
            assert!(below.place <= above.place, "{value:e}");
            assert_ne!(below.cmp(&truth), Ordering::Greater, "{value:e}");
            assert_ne!(above.cmp(&truth), Ordering::Less, "{value:e}");
            assert_eq!(below.moved(1).cmp(&truth), Ordering::Greater, "{value:e}");
            assert_eq!(above.moved(-1).cmp(&truth), Ordering::Less, "{value:e}");
            if let Some(figures) = figures.filter(|_| value != 0.0) {
                assert_eq!((below.figures(), above.figures()), (figures, figures), "{value:e}");
            }
            exact += usize::from(below.cmp(&truth) == Ordering::Equal);
            strict += usize::from(below.cmp(&truth) == Ordering::Less);
        }
        for text in [format!("{gap}"), format!("{gap:.0$}", k % 19)] {
            let shown = Printed::percent(&text);
            assert_ne!(shown.cmp(&truth), Ordering::Less, "{value:e} {text}");
            assert_eq!(shown.moved(-1).cmp(&truth), Ordering::Less, "{value:e} {text}");
        }
    }
    assert!(exact > 300 && strict > 10_000, "{exact} {strict}");
}

#[test]
fn figures_look_as_people_expect_them() {
    let (lower, upper, _) = bounds(0.08762069196799985);
    assert_eq!((lower.to_string(), upper.to_string()), ("0.087620691".into(), "0.087620692".into()));
    assert_eq!((format!("{lower:.3}"), format!("{upper:.3}")), ("0.087".into(), "0.088".into()));
    assert_eq!((lower.significant(3), upper.significant(3)), ("0.0876".into(), "0.0877".into()));
    assert_eq!((format!("{lower:.2e}"), format!("{upper:.2e}")), ("8.76e-2".into(), "8.77e-2".into()));
    let (lower, upper, _) = bounds(9.99999999);
    assert_eq!((lower.to_string(), upper.to_string()), ("9.9999999".into(), "10.000000".into()));
    assert_eq!((format!("{lower:.0}"), format!("{upper:.0}")), ("9".into(), "10".into()));
    assert_eq!(
        (format!("{lower:>8.1}|"), format!("{upper:<8.1}|")),
        ("     9.9|".into(), "10.0    |".into())
    );
    let (lower, upper, gap) = bounds(0.0);
    assert_eq!(
        (lower.to_string(), upper.to_string(), gap.to_string()),
        ("0".into(), "0".into(), "0.000 %".into())
    );
    let (lower, upper, gap) = bounds(1e-12);
    assert_eq!((format!("{lower:.3}"), format!("{upper:.3}")), ("0.000".into(), "0.001".into()));
    assert_eq!(gap.to_string(), "0.001 %");
    let (lower, upper, _) = bounds(123456789.0);
    assert_eq!((lower.to_string(), upper.to_string()), ("1.2345678e8".into(), "1.2345679e8".into()));
    let (_, _, gap) = bounds(9.7e-5);
    assert_eq!(format!("globally optimal to {gap:.2}"), "globally optimal to 0.01 %");
    assert_eq!(format!("{:?}", bounds(0.1).0), "LowerBound(0.1)");
}

/// g·u ≥ u − l in exact arithmetic.
fn covers(gap: &Dyadic, upper: &Dyadic, lower: &Dyadic) -> bool {
    !(&(gap * upper) + &-&(upper + &-lower)).is_negative()
}

#[test]
fn a_gap_is_computed_upwards() {
    let mut stream = Stream(12);
    let (mut nearest, mut count) = (0, 0);
    for k in 0..20_000 {
        let scale = 2f64.powi(stream.below(2000) as i32 - 1000);
        let high = (1.0 + stream.next().abs()) * scale;
        let low = match k % 4 {
            0 => high * (1.0 - stream.next().abs()),
            1 => high * (1.0 - 1e-9 * stream.next().abs()),
            2 => f64::from_bits(high.to_bits() - stream.below(5) as u64),
            _ => high * 1e-20 * stream.next().abs(),
        };
        let gap = Gap::between(bounds(high).1, bounds(low).0);
        let (upper, lower) = (Dyadic::new(high), Dyadic::new(low));
        assert!(covers(&Dyadic::new(gap.value()), &upper, &lower), "{high:e} {low:e}");
        assert!(
            gap.value() <= (high - low) / high * (1.0 + 1e-15) || low == high,
            "{high:e} {low:e} {gap:?}"
        );
        assert!(gap <= 1.0);
        nearest += usize::from(!covers(&Dyadic::new((high - low) / high), &upper, &lower));
        count += 1;
    }
    assert!(nearest > count / 10, "rounding to nearest would do: {nearest} of {count}");
    assert_eq!(Gap::between(bounds(2.0).1, bounds(2.0).0), 0.0);
    assert_eq!(Gap::between(bounds(0.0).1, bounds(0.0).0), 0.0);
    assert_eq!(Gap::between(bounds(2.0).1, bounds(0.0).0), 1.0);
}

/// One to five samples; features, targets and weight decay of any size, rows repeated, zeros.
fn tiny(stream: &mut Stream) -> TrainingProblem {
    let (n, d, c) = (1 + stream.below(5), 1 + stream.below(3), 1 + stream.below(2));
    let power = |stream: &mut Stream, most: f64| 10f64.powf(most * stream.next());
    let [features, targets] = match stream.below(3) {
        0 => [1.0, 1.0],
        1 => [power(stream, 8.0), power(stream, 8.0)],
        _ => [power(stream, 1.0), power(stream, 1.0)],
    };
    // Where features, targets and weight decay are in proportion, something is left to be learnt.
    let decay = match stream.below(3) {
        0 => power(stream, 6.0),
        _ => (features * targets * power(stream, 2.0)).clamp(1e-6, 1e6),
    };
    let mut x = Mat::from_fn(n, d, |_, _| features * stream.next());
    let mut y = Mat::from_fn(n, c, |_, _| targets * stream.next());
    match stream.below(4) {
        0 if n > 1 => {
            (0..d).for_each(|j| x[(1, j)] = x[(0, j)]);
            if stream.below(2) == 0 {
                (0..c).for_each(|k| y[(1, k)] = y[(0, k)]);
            }
        }
        1 => y = Mat::from_fn(n, c, |i, k| (y[(i, k)] / targets * 4.0).round() / 4.0 * targets),
        2 if n > 1 => (0..d).for_each(|j| x[(n - 1, j)] = 0.0),
        _ => {}
    }
    TrainingProblem::new(x, y, decay).unwrap()
}

/// What one run showed: a bound that rounding to nearest would have lifted above the proved one, one above a network, and
/// whether bound and gap were more than trivial.
fn run(round: u64) -> [bool; 4] {
    let mut stream = Stream(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    stream.next();
    let problem = tiny(&mut stream);
    let control = Control::new().within(Duration::from_secs(5));
    // Every other run takes the relaxation, whose bounds leave gaps.
    let method = [Method::Auto, Method::Relaxation][(round % 2) as usize];
    let settings = CertifySettings { method, ..CertifySettings::default() };
    let found = certify(&problem, &settings, &control, &mut Silent).unwrap();
    let report = &found.report;
    let proved = Dyadic::new(found.proof.lower_bound().value());
    let objective = exact_objective(&problem, &found.network);
    let least = &proved + &-&objective;
    assert!(!(&Dyadic::zero() + &-&least).is_negative(), "round {round}: the bound is wrong: {report:?}");
    assert!(!(&Dyadic::new(report.upper_bound.value()) + &-&objective).is_negative(), "round {round}");
    assert_eq!(report.lower_bound, found.proof.lower_bound());
    for (below, above, _) in shown(report.lower_bound, report.upper_bound, round as usize % 19) {
        assert_ne!(Printed::new(&below).cmp(&proved), Ordering::Greater, "round {round}: {below}");
        assert_ne!(Printed::new(&above).cmp(&objective), Ordering::Less, "round {round}: {above}");
    }
    // The stored gap covers the exact one, and what is printed covers what is stored.
    let gap = Dyadic::new(report.gap.value());
    assert!(covers(&gap, &objective, &proved), "round {round}: {report:?}");
    for text in [format!("{}", report.gap), format!("{:.1$}", report.gap, round as usize % 19)] {
        assert_ne!(Printed::percent(&text).cmp(&gap), Ordering::Less, "round {round}: {text}");
    }
    let nearest = Printed::new(&format!("{:.7e}", report.lower_bound.value()));
    [
        nearest.cmp(&proved) == Ordering::Greater,
        nearest.cmp(&objective) == Ordering::Greater,
        report.lower_bound > 0.0 && report.grade == Grade::Verified,
        report.gap > 1e-6 && report.gap < 1.0,
    ]
}

/// RELUCERT_PRINTED_ROUNDS changes the number of problems.
#[test]
fn every_figure_of_ten_thousand_tiny_runs_is_on_its_side_of_the_truth() {
    let rounds = std::env::var("RELUCERT_PRINTED_ROUNDS").ok().and_then(|text| text.parse().ok());
    let rounds: usize = rounds.unwrap_or(10_000);
    let runs: Vec<[bool; 4]> = (0..rounds as u64).into_par_iter().map(run).collect();
    let count = |kind: usize| runs.iter().filter(|run| run[kind]).count();
    let [above, beyond, positive, open] = [0, 1, 2, 3].map(count);
    eprintln!(
        "{rounds} runs: rounded to nearest {above} bounds are above the proved one, {beyond} above the network; {positive} positive, {open} with a gap"
    );
    assert!(above > rounds / 5 && beyond > rounds / 100, "{above} {beyond}");
    assert!(positive > rounds / 2 && open > rounds / 20, "{positive} {open}");
}
