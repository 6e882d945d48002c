"""Which of the instruction sets that kernels are built for the processor has."""

cdef extern from *:
    """
    #if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
    static int has_v3(void)
    {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
            && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    }
    static int has_v4(void)
    {
        return has_v3() && __builtin_cpu_supports("avx512f")
            && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    }
    #else
    static int has_v3(void) { return 0; }
    static int has_v4(void) { return 0; }
    #endif
    """
    bint has_v3()
    bint has_v4()


def supported():
    """Names of the instruction sets, the most capable last."""
    names = ["baseline"]
    if has_v3():
        names.append("v3")
    if has_v4():
        names.append("v4")
    return names
