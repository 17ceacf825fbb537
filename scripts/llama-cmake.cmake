# Included at llama-cpp-python's project(): llama.cpp's "common" library serves
# only its own command-line tools, and costs a sixth of the build time.
set(LLAMA_BUILD_COMMON OFF)
