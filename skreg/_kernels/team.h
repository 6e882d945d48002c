/* Threads that run one epoch together, by OpenMP; without OpenMP, a single thread. */
#ifndef SKREG_TEAM_H
#define SKREG_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SSE__
#include <xmmintrin.h>
#endif

/* Calls work(context, thread, size) in up to `size` threads at once; the caller's
 * thread is the first. */
static inline void run_team(
    int size, void (*work)(void *, int, int), void *context)
{
#ifdef _OPENMP
    if (size > 1) {
#pragma omp parallel num_threads(size)
        work(context, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    work(context, 0, 1);
}

/* The bits of MXCSR that set results below the smallest normal number to zero, and
 * treat such operands as zero. */
#define NO_SUBNORMALS 0x8040

struct training {
    void (*work)(void *, int, int);
    void *context;
};

static inline void train_without_subnormals(void *context, int thread, int size)
{
    struct training *training = (struct training *)context;
#ifdef __SSE__
    unsigned int before = _mm_getcsr();
    _mm_setcsr(before | NO_SUBNORMALS);
#endif
    training->work(training->context, thread, size);
#ifdef __SSE__
    _mm_setcsr(before);
#endif
}

/* run_team for training, with subnormal numbers set to zero. Weights and moments of
 * dead units, or of units that a penalty shrinks, become subnormal, and processors take
 * many times as long for subnormal numbers. A subnormal moment that is multiplied by
 * 0.9 can stay subnormal, because it is rounded to its old value. Every thread has its
 * own MXCSR, so every thread sets the bits. */
static inline void run_training_team(
    int size, void (*work)(void *, int, int), void *context)
{
    struct training training = {work, context};
    run_team(size, train_without_subnormals, &training);
}

/* Returns when every thread of the team has come here. */
static inline void wait_for_team(int size)
{
#ifdef _OPENMP
    if (size > 1) {
#pragma omp barrier
    }
#else
    (void)size;
#endif
}

/* The most threads that OMP_NUM_THREADS, threadpoolctl or joblib leave to the caller. */
static inline int team_limit(void)
{
#ifdef _OPENMP
    return omp_in_parallel() ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

#endif
