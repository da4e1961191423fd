#include "core/normals.h"

#include <math.h>
#include <string.h>

enum { PAIRS = 16 }; /* at a time: loops of fixed length, which compilers turn into vectors */

static inline uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ln u = k·ln 2 + ln m with m in [√½, √2), and ln m = 2·artanh s with s = (m − 1)/(m + 1), whose series ends below a
 * rounding at s²¹. u: in [2⁻³³, 1). */
static inline double log_of(double u) {
    const uint64_t most = 64, root_half = 0x3FE6A09E667F3BCD, two_to_52 = 0x4330000000000000;
    const uint64_t steps = (bits_of(u) - root_half + (most << 52)) >> 52; /* k + most, which is above 0 */
    const double m = of_bits(bits_of(u) - ((steps - most) << 52));
    const double k = of_bits(steps | two_to_52) - (0x1p52 + (double)most);
    const double s = (m - 1) / (m + 1), z = s * s;
    double series = 2. / 21;
    series = series * z + 2. / 19;
    series = series * z + 2. / 17;
    series = series * z + 2. / 15;
    series = series * z + 2. / 13;
    series = series * z + 2. / 11;
    series = series * z + 2. / 9;
    series = series * z + 2. / 7;
    series = series * z + 2. / 5;
    series = series * z + 2. / 3;
    const double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40; /* k·high is exact */
    return k * ln2_high + (2 * s + (s * z * series + k * ln2_low));
}

/* Taylor's series for |a| ≤ π/4, z = a²; what is left out is below a rounding. */
static inline double sine(double a, double z) {
    double series = -1 / 1307674368000.;
    series = series * z + 1 / 6227020800.;
    series = series * z - 1 / 39916800.;
    series = series * z + 1 / 362880.;
    series = series * z - 1 / 5040.;
    series = series * z + 1 / 120.;
    series = series * z - 1 / 6.;
    return a + a * z * series;
}
static inline double cosine(double z) {
    double series = 1 / 20922789888000.;
    series = series * z - 1 / 87178291200.;
    series = series * z + 1 / 479001600.;
    series = series * z - 1 / 3628800.;
    series = series * z + 1 / 40320.;
    series = series * z - 1 / 720.;
    series = series * z + 1 / 24.;
    series = series * z - 1 / 2.;
    return 1 + z * series;
}

/* Of word w' (see the header): the nearest quarter of a turn, q, is taken off exactly. */
static inline void turn(uint32_t word, double *cos_out, double *sin_out) {
    const uint32_t q = (word + (1u << 29)) >> 30;
    const double a = (double)(int32_t)(word - (q << 30)) * (0x1p-32 * 6.283185307179586);
    const double s = sine(a, a * a), c = cosine(a * a);
    const double x = q & 1 ? s : c, y = q & 1 ? c : s;
    *cos_out = (q + 1) & 2 ? -x : x;
    *sin_out = q & 2 ? -y : y;
}

static inline double radius(uint32_t word) {
    return sqrt(-2 * log_of(((double)word + 0.5) * 0x1p-32));
}

static void some_pairs(const uint32_t *words, double *out) {
    uint32_t of_radius[PAIRS], of_angle[PAIRS];
    double r[PAIRS], c[PAIRS], s[PAIRS];
    for (int i = 0; i < PAIRS; i++) of_radius[i] = words[2 * i], of_angle[i] = words[2 * i + 1];
    for (int i = 0; i < PAIRS; i++) r[i] = radius(of_radius[i]);
    for (int i = 0; i < PAIRS; i++) turn(of_angle[i], &c[i], &s[i]);
    for (int i = 0; i < PAIRS; i++) out[2 * i] = r[i] * c[i], out[2 * i + 1] = r[i] * s[i];
}

void cvy_normals(const uint32_t *words, int count, double *out) {
    int i = 0;
    for (; i + 2 * PAIRS <= count; i += 2 * PAIRS) some_pairs(words + i, out + i);
    for (; i < count; i += 2) {
        const double r = radius(words[i]);
        turn(words[i + 1], &out[i], &out[i + 1]);
        out[i] *= r, out[i + 1] *= r;
    }
}
