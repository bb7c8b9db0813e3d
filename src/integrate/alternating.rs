//! Players that move in turn.

use std::ops::Range;

use ndarray::{Array1, s};

use super::Integrator;
use super::precondition::check_part;
use crate::{Error, Real, Result, VectorField};

/// One player of an [`Alternating`] method: a part of the state, and how it moves when its turn comes.
#[derive(Debug, Clone)]
pub struct Player<I> {
    part: Range<usize>,
    integrator: I,
    turns: u64,
    rate: f64,
}

impl<I> Player<I> {
    /// The components `part` of the state, moved by `integrator`: one step a round.
    pub fn new(part: Range<usize>, integrator: I) -> Self {
        Player { part, integrator, turns: 1, rate: 1.0 }
    }

    /// Steps of this player in a round, one after the other.
    #[must_use]
    pub fn turns(mut self, turns: u64) -> Self {
        self.turns = turns;
        self
    }

    /// This player's step size as a multiple of the flow's (two time-scale updates).
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }
}

/// Players that move in turn, each by its own integrator with its own memory, while the others stand still.
///
/// Each step of the flow is one turn of one player, on a minibatch of its own; a round is as many steps as all players have
/// turns ([`round`](Self::round)). With Euler's method this is alternating gradient descent, and on two players of equal
/// size the symplectic Euler method: on the bilinear game it stays bounded, where all at once spirals out.
///
/// ```
/// use flowfield::{Flow, field, integrate::{Alternating, Euler, Player}};
/// use ndarray::{Array1, array};
/// let bilinear = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| { dy[0] = -y[1]; dy[1] = y[0]; });
/// let mut y = array![1.0, 0.0];
/// let turns = Alternating::new([Player::new(0..1, Euler::new()), Player::new(1..2, Euler::new())]);
/// Flow::new(bilinear, turns).steps(2 * 10_000, 0.1, &mut y)?;
/// assert!(y[0].hypot(y[1]) < 1.1);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Alternating<I, F> {
    players: Vec<Player<I>>,
    /// Steps taken.
    count: u64,
    /// The whole state with the moving player's stage in it, and the field there.
    whole: Array1<F>,
    slope: Array1<F>,
    /// Each player's own part, before and after its step.
    parts: Vec<[Array1<F>; 2]>,
}

impl<I, F: Real> Alternating<I, F> {
    /// These players, in this order.
    pub fn new(players: impl IntoIterator<Item = Player<I>>) -> Self {
        let players = players.into_iter().collect();
        let empty = Array1::zeros(0);
        Alternating { players, count: 0, whole: empty.clone(), slope: empty, parts: Vec::new() }
    }

    /// Steps in a round.
    pub fn round(&self) -> u64 {
        self.players.iter().map(|p| p.turns).sum()
    }

    /// Whose turn it is.
    fn mover(&self) -> usize {
        let mut left = self.count % self.round().max(1);
        let mover = self.players.iter().position(|p| {
            let moves = left < p.turns;
            left = left.saturating_sub(p.turns);
            moves
        });
        mover.unwrap_or(0)
    }

    fn check(&self, len: usize) -> Result<()> {
        if self.round() == 0 {
            return Err(Error::Empty { what: "the players' turns" });
        }
        for (i, player) in self.players.iter().enumerate() {
            check_part(&player.part, len)?;
            let good = player.rate > 0.0 && player.rate.is_finite();
            Error::setting(good, "a player's rate", player.rate, "it must be positive and finite")?;
            let overlap = self.players[..i]
                .iter()
                .any(|p| p.part.start < player.part.end && player.part.start < p.part.end);
            let start = player.part.start as f64;
            Error::setting(!overlap, "the start of a player's part", start, "parts must not overlap")?;
        }
        Ok(())
    }
}

impl<I: Integrator<Array1<F>>, F: Real> Integrator<Array1<F>> for Alternating<I, F> {
    fn name(&self) -> &'static str {
        "Alternating"
    }

    fn order(&self) -> Option<u32> {
        // One step moves one player: it has no solution at a time.
        None
    }

    fn init(&mut self, y0: &Array1<F>) -> Result<()> {
        self.check(y0.len())?;
        self.count = 0;
        (self.whole, self.slope) = (y0.clone(), y0.clone());
        self.parts.clear();
        for player in &mut self.players {
            let part = y0.slice(s![player.part.clone()]).to_owned();
            player.integrator.init(&part)?;
            self.parts.push([part.clone(), part]);
        }
        Ok(())
    }

    fn step<V: VectorField<Array1<F>> + ?Sized>(
        &mut self,
        field: &mut V,
        t: F,
        h: F,
        y0: &Array1<F>,
        y1: &mut Array1<F>,
    ) -> Result<()> {
        if self.parts.is_empty() {
            self.init(y0)?;
        }
        let mover = self.mover();
        let (player, [before, after]) = (&mut self.players[mover], &mut self.parts[mover]);
        let range = s![player.part.clone()];
        let (whole, slope) = (&mut self.whole, &mut self.slope);
        whole.assign(y0);
        before.assign(&y0.slice(range));
        let mut own = crate::field(|t, part: &Array1<F>, dpart: &mut Array1<F>| {
            whole.slice_mut(range).assign(part);
            field.eval_part(player.part.clone(), t, whole, slope);
            dpart.assign(&slope.slice(range));
        });
        // The others have moved, or another minibatch was drawn, since this player's last step.
        player.integrator.accept(false);
        player.integrator.step(&mut own, t, h * F::of(player.rate), before, after)?;
        y1.assign(y0);
        y1.slice_mut(range).assign(after);
        self.count += 1;
        Ok(())
    }
}
