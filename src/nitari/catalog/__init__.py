"""The truth: feeds that items come from, and the store that keeps them."""
