"""Makes the starter weights again: data lists, licence filter, training, and the evaluation that fills the cards."""
