# The tests of the CUDA backend. tests/gpu/CMakeLists.txt builds each for a GPU, tests/emulation/gpu_tests for the
# emulated device:
#
#   vise_gpu_test(NAME SOURCES test.c... [FLAVOURS ...] [[MORE_]SCHEDULES ...] [[MORE_]SMS ...] [RUNS ...] [TIMEOUT seconds])
#
# All but the first and the last are for the emulation (tests/emulation/flavours.cmake). Faults that the plain build
# sees are seen in the others too: tests with RUNS run there, with a schedule each, and in the plain build only with
# ./dev test --thorough.
#
# A test may include private headers and the CUDA runtime, links with libvise, Criterion and jansson, and runs in the
# source folder: VISE_SOURCE_DIR is ".". What it reads there beside tests/golden and bench/data must be added to
# tests/gpu/make_kit.sh.
#
#   vise_gpu_program(NAME SOURCES program.c... [KERNELS kernels.cu...])   a program of the kit: first_bits, micro, clocks
set(gpu ${PROJECT_SOURCE_DIR}/tests/gpu)
set(support ${PROJECT_SOURCE_DIR}/tests/support)
set(rig ${support}/backend_rig.c)
# Trainings with everything switched on, of which cuda and cpu share what must hold of steps.
set(step_rig ${gpu}/gpu_rig.c ${support}/step_rig.c ${support}/step_checks.c ${rig})

vise_gpu_test(device SOURCES ${gpu}/device_test.c FLAVOURS plain asan SCHEDULES forward SMS 1 132)

# cuda against cpu64 shares the cases of the CPU backends' tests.
set(cases ${support}/cpu_case.c ${support}/cpu_options.c ${support}/agreement.c ${rig})
vise_gpu_test(agreement SOURCES ${gpu}/agreement_test.c ${cases} FLAVOURS plain SCHEDULES forward SMS 4 TIMEOUT 600)
# Other numbers of multiprocessors: golden.
vise_gpu_test(bits SOURCES ${gpu}/bits_test.c ${step_rig} FLAVOURS plain asan race SCHEDULES random:1
  MORE_SCHEDULES forward SMS 4
  RUNS asan/reverse/4 race/random:1/4 TIMEOUT 600)
vise_gpu_test(integer SOURCES ${gpu}/integer_test.c ${step_rig} FLAVOURS plain asan race SCHEDULES random:1
  MORE_SCHEDULES reverse SMS 8
  RUNS asan/reverse/8 race/random:1/8 TIMEOUT 600)
vise_gpu_test(near_inputs SOURCES ${gpu}/near_inputs_test.c ${step_rig} FLAVOURS plain asan race SCHEDULES random:1
  MORE_SCHEDULES reverse SMS 48
  RUNS asan/random:1/48 TIMEOUT 600)
vise_gpu_test(steps SOURCES ${gpu}/steps_test.c ${step_rig} FLAVOURS plain asan SCHEDULES random:1
  MORE_SCHEDULES forward SMS 4
  RUNS asan/reverse/4 TIMEOUT 600)
vise_gpu_test(launches SOURCES ${gpu}/launches_test.c ${step_rig} ${cases} FLAVOURS plain race SCHEDULES random:1 SMS 4
  RUNS race/random:1/4 TIMEOUT 900)
vise_gpu_test(data SOURCES ${gpu}/data_test.c ${support}/data_rig.c ${rig} FLAVOURS plain asan SCHEDULES forward SMS 4
  RUNS asan/forward/4 TIMEOUT 600)
vise_gpu_test(trajectories SOURCES ${gpu}/trajectories_test.c ${support}/trajectory.c ${rig} FLAVOURS plain
  SCHEDULES forward SMS 1 TIMEOUT 900)
vise_gpu_test(unfused_agreement SOURCES ${gpu}/unfused_agreement_test.c ${cases} FLAVOURS plain SCHEDULES forward SMS 4
  TIMEOUT 900)
vise_gpu_test(unfused_steps SOURCES ${gpu}/unfused_steps_test.c ${step_rig} FLAVOURS plain asan race
  SCHEDULES random:1 SMS 8
  RUNS asan/reverse/8 race/random:1/8 TIMEOUT 900)
vise_gpu_test(parts SOURCES ${gpu}/parts_test.c ${cases} FLAVOURS plain race SCHEDULES random:1
  MORE_SCHEDULES forward SMS 8 MORE_SMS 1
  RUNS race/random:1/8 TIMEOUT 600)
vise_gpu_test(batch_parts SOURCES ${gpu}/batch_parts_test.c ${support}/data_rig.c ${cases} FLAVOURS plain asan race
  SCHEDULES random:1 SMS 4
  RUNS asan/reverse/4 race/random:1/4 TIMEOUT 600)
vise_gpu_test(bf16 SOURCES ${gpu}/bf16_test.c ${step_rig} FLAVOURS plain asan race SCHEDULES random:1 SMS 4
  RUNS asan/reverse/4 race/random:1/4 TIMEOUT 300)
set(layers ${support}/layers_rig.c ${support}/layers_checks.c ${rig})
vise_gpu_test(layers SOURCES ${gpu}/layers_test.c ${layers} FLAVOURS plain asan race SCHEDULES random:1 SMS 8
  RUNS asan/reverse/8 race/random:1/8 TIMEOUT 600)
vise_gpu_test(unfused_layers SOURCES ${gpu}/unfused_layers_test.c ${layers} FLAVOURS plain asan race
  SCHEDULES random:1 SMS 8
  RUNS asan/reverse/8 race/random:1/8 TIMEOUT 600)
vise_gpu_test(golden SOURCES ${gpu}/golden_test.c ${gpu}/golden_cases.c ${rig} FLAVOURS plain SCHEDULES forward SMS 1 8 132 TIMEOUT 600)
vise_gpu_test(long_runs SOURCES ${gpu}/long_runs_test.c ${step_rig} FLAVOURS plain SCHEDULES forward SMS 1 TIMEOUT 300)
vise_gpu_test(bench SOURCES ${gpu}/bench_test.c ${support}/bench_rig.c FLAVOURS plain asan SCHEDULES forward SMS 4
  RUNS asan/forward/4 TIMEOUT 300)
vise_gpu_test(trainer SOURCES ${gpu}/trainer_test.c ${PROJECT_SOURCE_DIR}/tests/unit/train/rig.c ${support}/unit.c
  FLAVOURS plain asan SCHEDULES forward SMS 4
  RUNS asan/forward/4 TIMEOUT 300)
vise_gpu_test(group SOURCES ${gpu}/group_test.c ${support}/step_rig.c ${support}/layers_rig.c ${rig} FLAVOURS plain asan race
  SCHEDULES random:1 MORE_SCHEDULES forward SMS 8 MORE_SMS 132
  RUNS asan/reverse/8 race/random:1/8 TIMEOUT 300)
vise_gpu_test(sweep SOURCES ${gpu}/sweep_test.c ${PROJECT_SOURCE_DIR}/tests/unit/sweep/queue_rig.c
  ${PROJECT_SOURCE_DIR}/tests/unit/train/rig.c ${support}/unit.c FLAVOURS plain asan SCHEDULES forward SMS 4
  RUNS asan/forward/4 TIMEOUT 300)

vise_gpu_program(first_bits SOURCES ${gpu}/first_bits.c ${gpu}/golden_cases.c ${rig})
vise_gpu_program(clocks SOURCES ${gpu}/clocks.c ${rig})
vise_gpu_program(micro SOURCES ${gpu}/micro.c KERNELS ${gpu}/micro.cu)
