"""The same network behind other model servers, each as its own documentation recommends. Run by `benchmarks.versus`."""
