//! What dividing cost, estimated.

use super::task::Work;
use super::{BlockExecutor, BlockTask, BlockTasks, Division};
use crate::certify::report::{Relaxed, Status};
use crate::control::Control;
use crate::error::Result;

impl Division<'_> {
    /// Estimates the part of the relaxation's value that dividing lost.
    ///
    /// The first block is divided into halves and quarters. What each doubling wins shrinks by a factor that those three
    /// sizes tell, and log₂K doublings lead from the blocks back to the whole.
    pub(super) fn loss(
        &self,
        whole: &Relaxed,
        executor: &dyn BlockExecutor,
        control: &Control,
    ) -> Result<Option<f64>> {
        let samples = self.samples(0);
        if control.should_stop() || samples.len() < 8 || whole.solver.value <= 0.0 {
            return Ok(None);
        }
        let parts: Vec<(usize, &[usize])> = [2, 4]
            .into_iter()
            .flat_map(|parts| samples.chunks(samples.len().div_ceil(parts)).map(move |part| (parts, part)))
            .collect();
        let make = |place: usize| {
            let (parts, samples) = parts[place];
            let problem = self.problem.subset(samples, self.share / parts as f64)?;
            Ok(BlockTask { problem, work: Work::Value, ..self.task(0)? })
        };
        let tasks = BlockTasks::new(self, vec![0; parts.len()], &make, &|_| ());
        let values: Vec<Relaxed> =
            tasks.run(executor, control, &mut || ())?.iter().map(|part| part.figures.relaxed()).collect();
        if whole.solver.status != Status::Converged
            || values.iter().any(|part| part.solver.status != Status::Converged)
        {
            return Ok(None);
        }
        let sum = |wanted: usize| -> f64 {
            let chosen = parts.iter().zip(&values).filter(|((parts, _), _)| *parts == wanted);
            chosen.map(|(_, part)| part.solver.value).sum()
        };
        Ok(Some(extrapolated_loss(whole.solver.value, sum(2), sum(4), self.blocks())))
    }
}

/// The part lost by dividing into `count` blocks, from the value of a block and of its halves and quarters together.
fn extrapolated_loss(block: f64, halves: f64, quarters: f64, count: usize) -> f64 {
    let (last, before) = ((block - halves).max(0.0), (halves - quarters).max(0.0));
    let ratio = if before > 0.0 { (last / before).clamp(0.25, 1.0) } else { 1.0 };
    let mut doublings = (count as f64).log2();
    let (mut won, mut total) = (last, block);
    while doublings > 0.0 {
        won *= ratio;
        total += won * doublings.min(1.0);
        doublings -= 1.0;
    }
    1.0 - block / total
}
