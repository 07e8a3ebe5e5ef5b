// A PKCS#11 module that is SoftHSM but for a function that fails on demand. The environment
// variable CANNULA_TEST_TOKEN_FAILS says which, and how:
//
//   C_Decrypt CKR_GENERAL_ERROR    as devices do that cannot be reached
//   C_GetSlotList once             there are more slots at the second call than at the first
#include <cstdlib>
#include <string>

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

namespace {

CK_FUNCTION_LIST* softhsm = nullptr;
CK_FUNCTION_LIST functions;

// The answer that `function` is to give instead of its own; CKR_OK: its own.
CK_RV demanded(const std::string& function) {
  const char* variable = std::getenv("CANNULA_TEST_TOKEN_FAILS");
  const std::string wanted = variable == nullptr ? "" : variable;
  if (!wanted.starts_with(function + " ")) return CKR_OK;
  const std::string how = wanted.substr(function.size() + 1);
  if (how == "CKR_GENERAL_ERROR") return CKR_GENERAL_ERROR;
  if (how == "CKR_FUNCTION_FAILED") return CKR_FUNCTION_FAILED;
  if (how == "CKR_DEVICE_ERROR") return CKR_DEVICE_ERROR;
  return CKR_BUFFER_TOO_SMALL;
}

CK_RV decrypt(CK_SESSION_HANDLE session, unsigned char* sealed, CK_ULONG sealed_size,
              unsigned char* opened, CK_ULONG* opened_size) {
  const CK_RV own = softhsm->C_Decrypt(session, sealed, sealed_size, opened, opened_size);
  const CK_RV answer = demanded("C_Decrypt");
  return answer == CKR_OK ? own : answer;
}

CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  const CK_RV answer = demanded("C_GetTokenInfo");
  return answer == CKR_OK ? softhsm->C_GetTokenInfo(slot, info) : answer;
}

CK_RV get_slot_list(unsigned char with_token, CK_SLOT_ID* slots, CK_ULONG* count) {
  const CK_RV answer = demanded("C_GetSlotList");
  if (answer == CKR_OK || (answer == CKR_BUFFER_TOO_SMALL && slots == nullptr)) {
    return softhsm->C_GetSlotList(with_token, slots, count);
  }
  const std::string how = std::getenv("CANNULA_TEST_TOKEN_FAILS");
  if (how.ends_with(" once")) ::setenv("CANNULA_TEST_TOKEN_FAILS", "", 1);
  return answer;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  if (softhsm == nullptr) {
    void* library = ::dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return CKR_GENERAL_ERROR;
    using GetFunctionList = CK_RV (*)(CK_FUNCTION_LIST**);
    const auto get = reinterpret_cast<GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (get == nullptr || get(&softhsm) != CKR_OK) return CKR_GENERAL_ERROR;
    functions = *softhsm;
    functions.C_Decrypt = decrypt;
    functions.C_GetTokenInfo = get_token_info;
    functions.C_GetSlotList = get_slot_list;
  }
  *list = &functions;
  return CKR_OK;
}
