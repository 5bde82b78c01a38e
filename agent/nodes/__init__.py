"""The nodes of the graph, one a module, in the order a question goes through them."""
