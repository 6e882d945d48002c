/* Threads that work through one epoch together, by OpenMP; without it, one. */
#ifndef SKREG_TEAM_H
#define SKREG_TEAM_H

#ifdef _OPENMP
#include <omp.h>
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
