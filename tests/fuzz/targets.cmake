# The readers that are fuzzed: NAME stands for fuzz_NAME.c and corpus/NAME/ (and NAME.dict, if there is one).
set(VISE_FUZZ_TARGETS json npy idx safetensors checkpoint table libsvm preprocessor)
