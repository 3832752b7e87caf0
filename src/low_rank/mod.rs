//! The Burer–Monteiro solver: augmented Lagrangian over a low-rank factor (arXiv 2410.22311 relaxed problem,
//! reduced order), second-order inner minimiser, pairs grown and dropped, rank shrunk and grown.

mod factor;
mod gradients;
mod hessian;
mod lagrangian;
mod newton;
mod preconditioner;
mod product;
mod rank;
mod settings;
mod sketch;
mod sparse_newton;
mod spectrum;
mod start;
mod state;
mod system;

pub use factor::Factor;
pub use hessian::HessianAssembler;
pub use lagrangian::{AugmentedLagrangian, Hinge, Workspace};
pub use newton::{InnerReport, InnerStatus, NewtonMinimizer};
pub use product::{ProductScratch, hessian_product};
pub use settings::SolverSettings;
pub use sketch::lowest as sketched_eigenpairs;
pub use sparse_newton::SparseNewton;
pub(crate) use sparse_newton::{FEW_DIMENSIONS, MOST_SPARSE};
pub(crate) use start::first_columns;
pub use start::start;
pub(crate) use state::SolverState;
pub(crate) use system::DIRECT_ORDER;

use crate::control::Control;
use crate::error::Result;
use crate::relaxation::{Cut, Lifting, PairSet, scan_cuts, scan_violations};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;
use spectrum::Spectrum;

/// Tightest gradient tolerance, relative to the objective: below it the gradient is rounding.
const GRADIENT_FLOOR: f64 = 1e-9;
/// Infeasibility below which idle pairs are dropped.
const SETTLED: f64 = 1e-3;
/// A level that brings infeasibility down by this factor keeps its penalty.
const SUFFICIENT_DECREASE: f64 = 0.3;
/// Factor of the smoothing between converged levels.
const SMOOTHING_DECAY: f64 = 0.2;

/// Relative error of the first level whose slack is examined, and by how much it falls from one to the next.
const FIRST_EXAMINED: f64 = 0.05;
const EXAMINED_FALL: f64 = 8.0;
/// Lowest eigenpairs of the slack that are looked at.
const EXAMINED_PAIRS: usize = 4;

/// Worst violations of each form that a scan takes in.
const PER_FORM: usize = 6;
/// Violated products of a new cut that come with it.
const PER_NEW_CUT: usize = 16;
/// Columns to spare once there are cuts, and the least number of columns then.
const SPARE_WITH_CUTS: usize = 10;
const COLUMNS_WITH_CUTS: usize = 30;
/// Size of the entries of new columns, relative to the root mean square of the old.
const WIDENING: f64 = 1e-2;
/// Where smoothing (as a part of the first) and gradient tolerance go back to when cuts come.
const REOPENED_SMOOTHING: f64 = 0.04;
const REOPENED_TOLERANCE: f64 = 1e-4;

/// Where the solver stands after a level.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Level {
    /// How the subproblem ended. Multipliers are taken over only if it converged or stalled at rounding, and the
    /// penalty changes only if it converged.
    pub inner: InnerReport,
    /// Scaled objective at the factor: loss plus weight decay.
    pub objective: f64,
    /// First-order estimate of how far infeasibility moves the objective: Σ multiplier · violation.
    pub objective_error: f64,
    /// Largest violation of a normalised constraint, relative to the mean of ‖s‖².
    pub infeasibility: f64,
    /// Smallest eigenvalue of the dual slack in the solver's coordinates (an estimate); none where the level was not
    /// examined ([`SolverSettings::examined_error`]).
    pub slack_eigenvalue: Option<f64>,
    /// Columns of the factor.
    pub columns: usize,
    /// Pairs held, and those with a multiplier that matters.
    pub pairs: usize,
    /// Pairs whose multiplier is above a thousandth of the largest.
    pub active_pairs: usize,
    /// Violated pairs that the scan added.
    pub added: usize,
    /// The constraints with the multipliers that this point gives, whether or not the solver took them over.
    pub multipliers: PairSet,
    /// w_f p_f Vᵀ − t_f, one row a row of the loss; its negative is the dual variable W.
    pub residual: Vec<f64>,
}

/// The solver's state: one call of [`LowRankSolver::advance`] is one level of the augmented Lagrangian.
#[derive(Debug)]
pub struct LowRankSolver<'a> {
    lifting: &'a Lifting,
    settings: SolverSettings,
    factor: Factor,
    set: PairSet,
    newton: NewtonMinimizer,
    spectrum: Spectrum,
    penalty: f64,
    smoothing: f64,
    gradient_tolerance: f64,
    scale: f64,
    mean_square: f64,
    newton_steps: usize,
    /// Columns kept beyond the numerical rank.
    spare_columns: usize,
    last_error: f64,
    /// The relative error from which on a level is examined.
    examined_from: f64,
}

impl<'a> LowRankSolver<'a> {
    /// Starts from a factor, usually a lifted network with a few perturbed columns ([`start`]).
    pub fn new(lifting: &'a Lifting, settings: SolverSettings, factor: Factor) -> Result<Self> {
        settings.check()?;
        let set = PairSet::new(lifting, settings.neighbours);
        let mut newton = NewtonMinimizer::new(HessianAssembler::new(lifting), 1.0);
        let probe = AugmentedLagrangian {
            lifting,
            set: &set,
            equality_penalty: 0.0,
            hinge: Hinge { penalty: 1.0, smoothing: 0.0 },
        };
        newton.evaluate(&probe, &factor);
        let scale = newton.workspace().objective.max(1e-12);
        let mean_square = mean_square(lifting, &newton.workspace().p, factor.columns).max(1e-12);
        let penalty =
            settings.initial_penalty * scale / (lifting.groups().max(1) as f64 * mean_square * mean_square);
        let smoothing = settings.initial_smoothing * scale / set.len().max(1) as f64;
        Ok(Self {
            newton: NewtonMinimizer::new(HessianAssembler::new(lifting), scale),
            spectrum: Spectrum::default(),
            gradient_tolerance: settings.initial_gradient_tolerance,
            lifting,
            settings,
            factor,
            set,
            penalty,
            smoothing,
            scale,
            mean_square,
            newton_steps: 0,
            spare_columns: rank::SPARE_COLUMNS,
            last_error: 0.0,
            examined_from: FIRST_EXAMINED,
        })
    }

    fn lagrangian<'b>(
        lifting: &'b Lifting,
        set: &'b PairSet,
        penalty: f64,
        smoothing: f64,
    ) -> AugmentedLagrangian<'b> {
        AugmentedLagrangian { lifting, set, equality_penalty: penalty, hinge: Hinge { penalty, smoothing } }
    }

    /// Minimises the current subproblem; if that converged, updates multipliers, pairs, rank and penalty.
    pub fn advance(&mut self, control: &Control) -> Level {
        let lagrangian = Self::lagrangian(self.lifting, &self.set, self.penalty, self.smoothing);
        let tolerance = self.gradient_tolerance * self.scale / self.mean_square.sqrt();
        let inner = self.newton.minimize(
            &lagrangian,
            &mut self.factor,
            tolerance,
            self.settings.newton_limit,
            control,
        );
        self.newton_steps += inner.iterations;
        let (assembler, work) = self.newton.parts();
        let moment = HessianAssembler::loss_moment(&lagrangian, work);
        let objective = work.objective;
        let error: f64 =
            work.equality.iter().zip(&work.equality_weight).map(|(h, w)| (h * w).abs()).sum::<f64>()
                + work.product.iter().zip(&work.next).map(|(k, t)| (-k).max(0.0) * t).sum::<f64>();
        let violation =
            work.equality.iter().map(|h| h.abs()).chain(work.product.iter().map(|k| -k)).fold(0.0, f64::max);
        self.mean_square = mean_square(self.lifting, &work.p, self.factor.columns).max(1e-12);
        let largest = work.next.iter().copied().fold(0.0, f64::max);
        let active_pairs = work.next.iter().filter(|&&t| t > 1e-3 * largest).count();
        // What is dense in the samples, this and the repair of the multipliers, is for levels that may matter.
        let relative = error / objective;
        let early = relative > self.examined_from.max(self.settings.examined_error);
        let examined = !early || inner.status != InnerStatus::Converged;
        let multipliers = self.set.updated(&work.equality_weight, &work.next);
        let sketched = || sketch::lowest(self.lifting, &multipliers, &work.residual, EXAMINED_PAIRS);
        let lowest = match examined.then(sketched) {
            Some(Some(found)) => self.spectrum.note(found),
            Some(None) => self.spectrum.lowest(&assembler.dual_slack(&lagrangian, work), EXAMINED_PAIRS),
            None => Vec::new(),
        };
        if inner.status == InnerStatus::Converged && examined {
            self.examined_from = relative / EXAMINED_FALL;
        }
        let mut level = Level {
            inner,
            objective,
            objective_error: error,
            infeasibility: violation / self.mean_square,
            slack_eigenvalue: examined.then(|| lowest.first().map_or(0.0, |(value, _)| *value)),
            columns: self.factor.columns,
            pairs: self.set.len(),
            active_pairs,
            added: 0,
            multipliers,
            residual: work.residual.clone(),
        };
        if inner.status == InnerStatus::Stopped {
            return level;
        }
        // A point the slack calls a saddle is left by new columns before any multiplier is touched.
        let grown = rank::grow(
            &lagrangian,
            &mut self.factor,
            &lowest,
            &moment,
            self.settings.rank_limit,
            self.scale,
            inner.gradient,
            self.settings.examined_error * objective,
        );
        if grown || inner.status == InnerStatus::IterationLimit {
            return level;
        }
        self.set.take_multipliers(&level.multipliers);
        level.added = self.update_pairs(level.infeasibility);
        if inner.status == InnerStatus::Converged {
            self.sharpen(&level);
        }
        rank::shrink(&mut self.factor, self.spare_columns);
        level
    }

    /// Penalty, smoothing and tolerance of the level after one that has converged.
    fn sharpen(&mut self, level: &Level) {
        // A larger penalty narrows the valley the minimiser follows: only where multipliers alone are too slow.
        let error = level.objective_error / level.objective.max(f64::MIN_POSITIVE);
        if error > self.settings.final_infeasibility && error > SUFFICIENT_DECREASE * self.last_error {
            self.penalty *= self.settings.penalty_growth;
        }
        self.last_error = error;
        let floor =
            self.settings.final_smoothing * level.objective.min(self.scale) / self.set.len().max(1) as f64;
        self.smoothing = (self.smoothing * SMOOTHING_DECAY).max(floor.min(self.smoothing));
        self.gradient_tolerance =
            (self.gradient_tolerance * self.settings.gradient_decay).max(GRADIENT_FLOOR);
    }

    /// From here on subproblems are solved to a gradient of at most this part of the objective.
    pub fn tighten(&mut self, tolerance: f64) {
        self.gradient_tolerance = self.gradient_tolerance.min(tolerance.max(GRADIENT_FLOOR));
    }

    /// Gives the factor columns to spare: with more constraints a factor of about the optimal rank has spurious valleys.
    fn widen(&mut self) {
        self.spare_columns = SPARE_WITH_CUTS;
        let wanted = (self.factor.columns + SPARE_WITH_CUTS)
            .max(COLUMNS_WITH_CUTS)
            .min(self.settings.rank_limit)
            .min(self.lifting.order());
        let rows = self.factor.rows();
        let mean: f64 =
            self.factor.values.iter().map(|v| v * v).sum::<f64>() / self.factor.values.len() as f64;
        let mut rng = Pcg64::seed_from_u64(self.set.len() as u64);
        while self.factor.columns < wanted {
            let column: Vec<f64> =
                (0..rows).map(|_| WIDENING * mean.sqrt() * rng.sample::<f64, _>(StandardNormal)).collect();
            self.factor.push_column(&column);
        }
    }

    fn update_pairs(&mut self, infeasibility: f64) -> usize {
        let work = self.newton.workspace();
        let slack = 0.05 * self.mean_square;
        // A pair with slack whose multiplier is only what the smoothing puts there carries nothing; while the point
        // still moves much, most of those would soon be missed again.
        let settled = infeasibility < SETTLED;
        let keep: Vec<bool> = work
            .next
            .iter()
            .zip(&work.product)
            .map(|(&t, &k)| !settled || k < slack || t * k > 3.0 * self.smoothing)
            .collect();
        // Early levels violate every pair a little: only what stands out is worth holding.
        let tolerance = (0.1 * infeasibility).max(1e-6) * self.mean_square;
        let columns = self.factor.columns;
        let mut found = scan_violations(self.lifting, &work.p, columns, tolerance, PER_FORM);
        found.extend(scan_cuts(self.lifting, &self.set, &work.p, columns, tolerance, PER_FORM));
        let keys: Vec<_> = found.iter().map(|v| v.key).collect();
        self.set.retain(self.lifting, &keep);
        let before = self.set.len();
        self.set.add(self.lifting, &keys);
        let added = self.set.len() - before;
        self.set.drop_idle_cuts(self.lifting);
        added
    }

    /// The base forms at the factor, 2G × columns, row-major.
    pub fn base_rows(&self) -> Vec<f64> {
        let columns = self.factor.columns;
        let mut rows = vec![0.0; self.lifting.base.len() * columns];
        self.lifting.base.evaluate(self.factor.r(), columns, &mut rows);
        rows
    }

    /// Takes in cuts with those of their products that the factor violates, the worst of each; gives how many products.
    ///
    /// Smoothing and tolerance go some levels back, because the optimum moves.
    pub fn add_cuts(&mut self, cuts: Vec<Cut>) -> usize {
        self.set.add_cuts(self.lifting, cuts);
        self.widen();
        let columns = self.factor.columns;
        let mut rows = vec![0.0; self.set.forms.len() * columns];
        self.set.forms.evaluate(self.factor.r(), columns, &mut rows);
        let tolerance = 1e-6 * self.mean_square;
        let found = scan_cuts(self.lifting, &self.set, &rows, columns, tolerance, PER_NEW_CUT);
        let before = self.set.len();
        self.set.add(self.lifting, &found.iter().map(|v| v.key).collect::<Vec<_>>());
        self.set.drop_idle_cuts(self.lifting);
        let first = self.settings.initial_smoothing * self.scale / self.set.len().max(1) as f64;
        self.smoothing = self.smoothing.max(REOPENED_SMOOTHING * first);
        self.gradient_tolerance = self.gradient_tolerance.max(REOPENED_TOLERANCE);
        self.last_error = 0.0;
        self.examined_from = FIRST_EXAMINED;
        self.set.len() - before
    }

    /// The lifted problem.
    pub fn lifting(&self) -> &Lifting {
        self.lifting
    }

    /// The factor.
    pub fn factor(&self) -> &Factor {
        &self.factor
    }

    /// The constraints with their multipliers as last updated.
    pub fn pairs(&self) -> &PairSet {
        &self.set
    }

    /// Newton steps so far.
    pub fn newton_steps(&self) -> usize {
        self.newton_steps
    }
}

/// Mean of ‖s_g‖² = ‖α_g + β_g‖² over the directions.
fn mean_square(lifting: &Lifting, p: &[f64], columns: usize) -> f64 {
    let groups = lifting.groups();
    let (alpha, beta) = p.split_at(groups * columns);
    let total: f64 = alpha.iter().zip(beta).map(|(a, b)| (a + b) * (a + b)).sum();
    total / groups.max(1) as f64
}
