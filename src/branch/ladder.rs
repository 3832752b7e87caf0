//! Which level to search at next.

use super::Forecast;
use faer::MatRef;

/// ε of the first search.
const FIRST: f64 = 1.0;
/// No search is asked for less.
const LEAST: f64 = 1e-9;
/// Part of the tolerance that ε may cost: the rest is for what training left.
const PART: f64 = 0.9;
/// How many times more visits a halved ε takes before it was measured.
const GROWTH: f64 = 2.4;
/// Growth is taken for at least and at most this.
const GROWTHS: (f64, f64) = (1.3, 8.0);
/// The step down in ε before growth was measured.
const STEP: f64 = 4.0;
/// How many times the visits of the last search the next may take, by the forecast: all before it together cost half as much
/// again, and that is what is lost at most where it does not end.
const COST: f64 = 3.0;
/// The same of a search that ends it all.
const LAST_COST: f64 = 12.0;
/// A search that was foretold to take so many times what is left is not begun.
const HOPELESS: f64 = 2.0;
/// How far above the largest violation seen the next level is.
const ABOVE: f64 = 1.5;

/// Searches so far, and the ε that would do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    /// ε at which the bound is within the tolerance.
    target: f64,
    /// The last ε proved of the present W, or of one close to it, and its visits.
    last: Option<(f64, f64)>,
    growth: Option<f64>,
    /// The next ε, where it is given.
    next: Option<f64>,
    /// No ε at or below this can be proved.
    floor: f64,
    /// Whether nothing was proved of the present W yet.
    is_new: bool,
}

impl Ladder {
    /// Finds the ε that the tolerance asks for.
    pub fn aim(&mut self, worth: &Worth, upper_bound: f64, tolerance: f64) {
        let wanted = (1.0 - PART * tolerance) * upper_bound;
        let reaches = |epsilon: f64| worth.at(1.0 / (1.0 + epsilon)) >= wanted;
        let (mut low, mut high) = (LEAST, 1e6);
        for _ in 0..60 {
            let middle = (low * high).sqrt();
            if reaches(middle) { low = middle } else { high = middle }
        }
        self.target = low;
        self.floor = 0.0;
        self.is_new = true;
    }

    /// The next ε; none where nothing is left to prove, or where what there is will take more visits than are left.
    ///
    /// Which ε it is does not depend on what is left: with more to spend the same levels are proved, and further ones.
    pub fn next(&mut self, left: f64) -> Option<f64> {
        if left <= 0.0 {
            return None;
        }
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        let Some((last, visits)) = self.last else {
            return Some(self.target.max(FIRST));
        };
        let goal = self.target.max(self.floor);
        if goal >= last {
            // Less was proved, but of another W.
            return self.is_new.then_some(goal);
        }
        let growth = self.growth.unwrap_or(GROWTH);
        let cost = |epsilon: f64| growth.powf((last / epsilon).log2());
        let next = match self.growth {
            _ if cost(goal) <= LAST_COST => goal,
            Some(growth) => goal.max(last * 0.5f64.powf(COST.ln() / growth.ln())),
            None => goal.max(last / STEP),
        };
        (visits * cost(next) <= HOPELESS * left).then_some(next)
    }

    /// The level (1 + ε)γ was proved.
    pub fn proved(&mut self, epsilon: f64, visits: u64) {
        let visits = visits as f64;
        if let Some((last, before)) = self.last
            && epsilon < 0.9 * last
            && before > 0.0
        {
            let halvings = (last / epsilon).log2();
            self.growth = Some((visits / before).powf(1.0 / halvings).clamp(GROWTHS.0, GROWTHS.1));
        }
        self.last = Some((epsilon, visits));
        self.is_new = false;
    }

    /// A direction violates (1 + `found`)γ; the search for `epsilon` is to be made again.
    pub fn violated(&mut self, epsilon: f64, found: f64) {
        self.next = Some(epsilon);
        self.floor = self.floor.max(found);
    }

    /// The largest violation that the present W is known to have, as ε.
    pub fn violation(&self) -> f64 {
        self.floor
    }

    /// Training could not remove the violation: a level above it.
    pub fn retreat(&mut self) {
        self.next = Some(ABOVE * self.floor.max(LEAST));
    }

    /// What the target would cost.
    pub fn forecast(&self, gap: f64) -> Option<Forecast> {
        let ((last, visits), growth) = (self.last?, self.growth?);
        (self.target < last).then(|| Forecast {
            visits: visits * growth.powf((last / self.target).log2()),
            growth,
            gap,
        })
    }
}

/// What W is worth as a dual point, an estimate.
pub(crate) struct Worth {
    gain: f64,
    square: f64,
}

impl Worth {
    pub fn of(targets: MatRef<'_, f64>, w: MatRef<'_, f64>) -> Self {
        let (mut gain, mut square) = (0.0, 0.0);
        for (w, y) in w.col_iter().zip(targets.col_iter()) {
            for (w, y) in w.iter().zip(y.iter()) {
                gain += w * y;
                square += w * w;
            }
        }
        Self { gain, square }
    }

    /// max over 0 ≤ t ≤ `most` of t⟨W, Y⟩ − (t²/2)‖W‖².
    fn at(&self, most: f64) -> f64 {
        let t = if self.square > 0.0 { (self.gain / self.square).clamp(0.0, most) } else { 0.0 };
        t * (self.gain - 0.5 * t * self.square)
    }
}
