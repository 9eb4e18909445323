"""Hyperprior and channel-wise autoregressive transform coding."""
