//! What can go wrong, with the numbers inside and a remedy in each message.

use thiserror::Error as ThisError;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Times and steps are given in `f64` whatever the state's number type.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Two things that must have the same shape do not.
    #[error(
        "{what} has shape {found:?}, but {expected:?} is needed; reshape it or build the other side for {found:?}"
    )]
    Shape {
        /// What was given.
        what: &'static str,
        /// The shape that was needed.
        expected: Vec<usize>,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// An array whose numbers are not in row-major order in memory.
    #[error(
        "an array of shape {shape:?} is not in standard (row-major) layout; call .as_standard_layout().into_owned() on it first"
    )]
    Layout {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A state that is to be positions followed by as many velocities or momenta, of odd length.
    #[error(
        "a state of {len} numbers has no two equal halves; put all positions first, then as many velocities (or momenta)"
    )]
    OddState {
        /// How many numbers it holds.
        len: usize,
    },
    /// Something that must hold at least one element is empty.
    #[error("{what} is empty; give at least one element")]
    Empty {
        /// What was empty.
        what: &'static str,
    },
    /// Input data holds a NaN or an infinity.
    #[error("{what} is not finite ({value}) at row {row}; remove or impute that row before the run")]
    NotFinite {
        /// What was given.
        what: &'static str,
        /// First row (or element, for one axis) that is not finite.
        row: usize,
        /// The value found there.
        value: f64,
    },
    /// A setting outside the range in which it means something.
    #[error("{what} = {value} is out of range: {need}")]
    Setting {
        /// The setting's name.
        what: &'static str,
        /// The value given.
        value: f64,
        /// The range it must lie in.
        need: &'static str,
    },
    /// An entry of a sparse matrix outside of it.
    #[error(
        "entry ({row}, {column}) lies outside a matrix of order {n}; rows and columns count from 0 to {n} - 1"
    )]
    EntryOutside {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// The order of the matrix.
        n: usize,
    },
    /// A weight that is negative, NaN or infinite.
    #[error("{what} hold {value} at index {row}; weights are masses: finite and not negative")]
    Weight {
        /// Whose weights.
        what: &'static str,
        /// Index of the first such weight.
        row: usize,
        /// The value found there.
        value: f64,
    },
    /// Source and target weights whose sums differ.
    #[error(
        "the source weights sum to {source_sum} and the target weights to {target_sum}; divide each by its sum, or allow mass to vary (unbalanced or partial transport)"
    )]
    WeightSums {
        /// Sum of the source weights.
        source_sum: f64,
        /// Sum of the target weights.
        target_sum: f64,
    },
    /// A transport cost that is NaN or infinite.
    #[error(
        "the cost from source {row} to target {column} is {value}; give a large finite cost to forbid a pair"
    )]
    CostNotFinite {
        /// The source.
        row: usize,
        /// The target.
        column: usize,
        /// The cost.
        value: f64,
    },
    /// An iteration that stopped before it reached its tolerance.
    #[error(
        "{what} stopped after {iterations} iterations at {residual:e}, above the tolerance {tol:e}; raise the iteration limit or loosen the tolerance"
    )]
    NotConverged {
        /// What was iterated.
        what: &'static str,
        /// Iterations done.
        iterations: usize,
        /// The residual reached.
        residual: f64,
        /// The residual asked for.
        tol: f64,
    },
    /// A network layer without units.
    #[error("layer {layer} of the network has width 0; give every layer at least one unit")]
    ZeroWidth {
        /// Index of the layer, 0 being the input.
        layer: usize,
    },
    /// A minibatch larger than the data it is drawn from.
    #[error("a batch of {batch} is larger than the {rows} rows of data; use a batch of at most {rows}")]
    BatchTooLarge {
        /// The batch size asked for.
        batch: usize,
        /// The rows there are.
        rows: usize,
    },
    /// A relative tolerance that the number type cannot honour.
    #[error("rtol = {rtol:e} is below {least:e}, four times round-off; raise it, or use f64 instead of f32")]
    ToleranceTooSmall {
        /// The tolerance asked for.
        rtol: f64,
        /// The smallest that is accepted.
        least: f64,
    },
    /// Output times that are not in the direction of integration or leave the span.
    #[error(
        "output time {t} (index {index}) is outside the span [{t0}, {t1}] or out of order; sort the times in the direction of integration"
    )]
    OutputTime {
        /// Index into the times given.
        index: usize,
        /// The offending time.
        t: f64,
        /// Start of the span.
        t0: f64,
        /// End of the span.
        t1: f64,
    },
    /// An adaptive solve was asked of a method without an error estimate.
    #[error(
        "{method} has no error estimate and cannot choose its own steps; call .steps(n, h, &mut y), or take an adaptive method such as Tsit5"
    )]
    NoErrorEstimate {
        /// The method's name.
        method: &'static str,
    },
    /// A method that does not follow dy/dt = f was asked to solve it.
    #[error(
        "{method} does not follow dy/dt = f(t, y) and has no solution at a time; call .steps(n, h, &mut y) instead of .solve"
    )]
    NotConsistent {
        /// The method's name.
        method: &'static str,
    },
    /// The field returned NaN or an infinity, also for ever smaller steps.
    #[error(
        "the field is not finite at t = {t} (component {component}), also with a step of {h:e}; check the field for division by zero, log or sqrt of a negative number, or a solution that blows up here"
    )]
    FieldNotFinite {
        /// Time of the last good state.
        t: f64,
        /// The last step size tried.
        h: f64,
        /// First component that is not finite.
        component: usize,
    },
    /// The state became NaN or infinite during fixed steps.
    #[error(
        "the state is not finite after step {step} (t = {t}, h = {h:e}, component {component}); the last finite state was kept; use a smaller step"
    )]
    Diverged {
        /// The step, counted from the flow's first.
        step: u64,
        /// Time of the last good state.
        t: f64,
        /// The step size.
        h: f64,
        /// First component that is not finite.
        component: usize,
    },
    /// Newton's iteration for the equations of an implicit step does not converge, however short the step.
    #[error(
        "Newton's iteration of {method} does not converge at t = {t}, also with a step of {h:e} ({tries} tries, each with a new Jacobian); check the field's Jacobian if it is your own, and the field for jumps"
    )]
    NewtonFailed {
        /// The method's name.
        method: &'static str,
        /// Time of the last good state.
        t: f64,
        /// The last step size tried.
        h: f64,
        /// Failures in a row.
        tries: u32,
    },
    /// The matrix of an implicit step cannot be factorised, however short the step.
    #[error(
        "the iteration matrix of {method} is singular at t = {t}, also with a step of {h:e}; check that the Jacobian is finite, and with a mass matrix that the system has index 1: ∂f/∂y must be regular on the algebraic part"
    )]
    SingularMatrix {
        /// The method's name.
        method: &'static str,
        /// Time of the last good state.
        t: f64,
        /// The last step size tried.
        h: f64,
    },
    /// The initial state of a system with algebraic equations does not satisfy them.
    #[error(
        "the state at t = {t} does not satisfy the algebraic equations: component {component} is off by about {correction:e}; call flowfield::consistent_start(&mut field, t, &y) for a state nearby that does"
    )]
    InconsistentStart {
        /// The time.
        t: f64,
        /// The component that Newton's iteration would move most.
        component: usize,
        /// By how much.
        correction: f64,
    },
    /// The step size fell below round-off of the time.
    #[error(
        "the step size {h:e} underflows at t = {t}: component {component} cannot meet its tolerance; the solution may be singular here, the problem stiff (take an implicit method), or atol too small for that component"
    )]
    StepUnderflow {
        /// Time of the last good state.
        t: f64,
        /// The step size.
        h: f64,
        /// The component with the largest scaled error.
        component: usize,
    },
    /// The step budget of an explicit method is used up, by steps that stability holds down and not accuracy.
    #[error(
        "the problem is stiff: {steps} steps of {method} reached t = {t} only, with steps of {h:e} that stability holds down (fastest mode |hλ| = {fastest:.1}, stable up to {bound:.1}); take an implicit method such as Rodas5P (small systems) or Bdf (large ones), or Auto"
    )]
    Stiff {
        /// The method's name.
        method: &'static str,
        /// Steps taken.
        steps: u64,
        /// The time reached.
        t: f64,
        /// The last step size.
        h: f64,
        /// |hλ| of the fastest mode, as estimated.
        fastest: f64,
        /// The largest |hλ| at which the method is stable.
        bound: f64,
    },
    /// The step budget is used up.
    #[error(
        "{steps} steps were not enough: reached t = {t} on the way to {t1} with step {h:e} (component {component} limits it); raise .max_steps, loosen the tolerance, or take an implicit method if the problem is stiff"
    )]
    TooManySteps {
        /// Steps taken.
        steps: u64,
        /// The time reached.
        t: f64,
        /// The time asked for.
        t1: f64,
        /// The last step size.
        h: f64,
        /// The component with the largest scaled error.
        component: usize,
    },
    /// A combination that this way of running a flow does not offer.
    #[error("{what} does not go with {with}; {instead}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// What it does not go with.
        with: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// Gradients that stay NaN or infinite although the loss was scaled down.
    #[error(
        "the gradient was not finite for {steps} steps in a row (loss scale {scale:e}): take a smaller step size or a field in bf16 or f32, or look for a division by zero in the loss"
    )]
    GradientsNotFinite {
        /// Bad steps in a row.
        steps: u64,
        /// The loss scale at the last.
        scale: f64,
    },
    /// Less memory than an adjoint needs for one state.
    #[error(
        "{bytes} bytes hold no checkpoint: one state takes {least} bytes; allow at least that, or one slot"
    )]
    MemoryTooSmall {
        /// The limit given.
        bytes: usize,
        /// The bytes of one state.
        least: usize,
    },
    /// A gradient through an event that did not happen.
    #[error(
        "no event ended the run until t = {t1}; add an event with .terminal(), or let the run go on for longer"
    )]
    EventNotReached {
        /// Where the run ended instead.
        t1: f64,
    },
    /// A gradient through an event that the solution only touches.
    #[error(
        "event {event} at t = {t} is grazed, not crossed (its function changes by {speed:e} a unit of time): the time of such an event has no derivative"
    )]
    GrazingEvent {
        /// Index of the event in the flow.
        event: usize,
        /// The time.
        t: f64,
        /// How fast its function changes there.
        speed: f64,
    },
    /// A noise without a seed.
    #[error(
        "the noise has no seed; call .seed(n) for a path that does not depend on the steps, or .fresh(n) for draws step by step"
    )]
    MissingSeed,
    /// A stochastic method was given a field without noise.
    #[error(
        "{method} needs a field with noise; build one with noise::Sde, or take a method for ordinary differential equations"
    )]
    NoNoise {
        /// The method's name.
        method: &'static str,
    },
    /// A time that lies outside what a solution covers.
    #[error("t = {t} is outside the solution's span [{t0}, {t1}]; solve further, or ask inside the span")]
    OutsideSpan {
        /// The time asked for.
        t: f64,
        /// Start of the span.
        t0: f64,
        /// End of the span.
        t1: f64,
    },
    /// A solution was asked for values between its points without having stored them.
    #[error("this solution holds no dense output; add .dense() to the flow before solving")]
    NotDense,
    /// An event's function returned NaN.
    #[error(
        "the function of event {event} is NaN at t = {t}; an event function must be a number wherever the solution goes"
    )]
    EventNotFinite {
        /// Index of the event in the flow.
        event: usize,
        /// The time.
        t: f64,
    },
    /// A file could not be read or written.
    #[error("{path}: {reason}; check that the folder exists and may be written to")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A file that is not a checkpoint, or is damaged.
    #[error(
        "{path} cannot be read as a safetensors file: {reason}; it may be cut short or of another kind, take an earlier one"
    )]
    Checkpoint {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of something else.
    #[error(
        "{path}: {name} is {found}, but {expected} is needed; build the network and the flow that the file was written with"
    )]
    CheckpointMismatch {
        /// The file.
        path: String,
        /// The tensor or value.
        name: String,
        /// What was needed.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A file of data that cannot be understood.
    #[error(
        "{path}, line {line}: {reason}; a table has the same number of numbers in each line, after an optional header"
    )]
    Table {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The caller's observer stopped the run.
    #[error("stopped by the observer at t = {t} after {steps} steps; what was computed until then is kept")]
    Stopped {
        /// The time reached.
        t: f64,
        /// Steps taken.
        steps: u64,
    },
}

impl Error {
    /// Checks that a setting holds, for builders: `Err(Setting)` unless `ok`.
    pub(crate) fn setting(ok: bool, what: &'static str, value: f64, need: &'static str) -> Result<()> {
        if ok { Ok(()) } else { Err(Error::Setting { what, value, need }) }
    }

    /// A failure to read or write `path`.
    pub(crate) fn io(path: &std::path::Path, reason: &dyn std::error::Error) -> Self {
        Error::Io { path: path.display().to_string(), reason: reason.to_string() }
    }

    /// Checks two shapes against each other.
    pub(crate) fn shape(what: &'static str, expected: &[usize], found: &[usize]) -> Result<()> {
        if expected == found {
            return Ok(());
        }
        Err(Error::Shape { what, expected: expected.to_vec(), found: found.to_vec() })
    }
}
