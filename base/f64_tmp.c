#include "base/f64.h"
void f64_print(struct buf *b, double v){ buf_printf(b, "%.17g", v);}
void f64_print_time(struct buf *b, long long ms){ buf_printf(b, "%lld", ms);}
bool f64_parse(struct str s, double *out){ return str_to_f64(s, out);}
