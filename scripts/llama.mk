# llama.cpp comes inside llama-cpp-python's sdist, pinned by hash. Read by make and debian/rules.
export LLAMA_VERSION := 0.3.36
export LLAMA_SHA256 := 832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
# Which llama.cpp that is, by the sdist's CHANGELOG.md; scripts/llama-sdist compares.
export LLAMA_CPP_COMMIT := 0c1e57098
