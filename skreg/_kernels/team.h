/* Threads that work through one epoch together, by OpenMP; without it, one. */
#ifndef SKREG_TEAM_H
#define SKREG_TEAM_H

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SSE__
#include <xmmintrin.h>
#endif

/* Calls work(context, thread, size) in up to `size` threads at once; the first is the
 * caller's. */
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

/* The bits of MXCSR by which results below the smallest normal number are zero, and such
 * operands count as zero. */
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

/* The same for training. Weights and moments of units that have died, or that a penalty
 * shrinks, become subnormal, with which processors take many times as long; and a moment
 * that is multiplied by 0.9 stays there, for it is rounded to where it was. Every thread
 * has a state of its own. */
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
