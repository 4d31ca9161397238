//! The one way in: adapters report through it what happened.

use std::rc::Rc;

use crate::engine::Input;

/// Where an adapter reports. Cheap to clone; keeps nobody alive.
#[derive(Clone)]
pub(crate) struct Door(Rc<dyn Fn(Input)>);

impl Door {
    /// Makes a door to whoever takes inputs.
    pub(crate) fn new(take: impl Fn(Input) + 'static) -> Self {
        Self(Rc::new(take))
    }

    /// Reports what happened.
    pub(crate) fn tell(&self, input: Input) {
        (self.0)(input);
    }
}
