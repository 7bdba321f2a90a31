//! A local AWS (MiniStack) with the real stack deployed into it.
